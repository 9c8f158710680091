import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Client } from "@connectrpc/connect";
import { type AttemptClaims, signAttemptToken } from "@xcloudflow/chassis/attempt-token";
import { as, type Caller, type Role, serviceCaller } from "@xcloudflow/chassis/caller";
import { createCodedClient } from "@xcloudflow/chassis/clients";
import { createSystemClock } from "@xcloudflow/chassis/clock";
import { createIds } from "@xcloudflow/chassis/ids";
import type { KeyEncryption } from "@xcloudflow/chassis/keyring";
import { createAgeKeyEncryption } from "@xcloudflow/chassis/keyring-age";
import { createLogger } from "@xcloudflow/chassis/logger";
import { createMemoryTransport } from "@xcloudflow/chassis/memory-transport";
import { createSystemRandom } from "@xcloudflow/chassis/random";
import type { OwnedDatabase } from "@xcloudflow/database/database";
import { StateService } from "@xcloudflow/proto/state/v1/state_pb";
import { createStateService, type StateServiceInstance } from "@xcloudflow/state/state-service";
import { sql } from "kysely";

export const TENANT = "acme";
export const UNIT = "prod/shop/db";

/** Tokens the fixture's backend knows; whoever has one of these is in tenant `acme` unless the name says otherwise. */
const TOKENS: Readonly<Record<string, Caller>> = {
  writer: tokenCaller(TENANT, "ada@example.com", ["operator"], true),
  reader: tokenCaller(TENANT, "rob@example.com", ["operator"], false),
  viewer: tokenCaller(TENANT, "vic@example.com", ["viewer"], false),
  stranger: tokenCaller("other", "eve@example.com", ["admin"], true),
};

function tokenCaller(tenant: string, subject: string, roles: Role[], writeState: boolean): Caller {
  return { tenant, subject, groups: [], roles, assurance: "token", writeState };
}

export interface StoredEvent {
  readonly type: string;
  readonly actor: string;
  readonly subject: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** The state service on a database, served by HTTP on a free port and by an in-memory transport. */
export interface StateFixture {
  readonly instance: StateServiceInstance;
  readonly url: string;
  readonly rpc: Client<typeof StateService>;
  readonly log: readonly string[];
  readonly attemptKeys: { readonly publicKey: KeyObject; readonly privateKey: KeyObject };
  stateUrl(unit?: string, tenant?: string): string;
  fetch(method: string, options?: FetchOptions): Promise<Response>;
  attemptToken(claims?: Partial<AttemptClaims>, expiresInMs?: number): Promise<string>;
  events(): Promise<readonly StoredEvent[]>;
  close(): Promise<void>;
}

export interface FetchOptions {
  readonly unit?: string;
  readonly tenant?: string;
  readonly password?: string;
  readonly body?: string | Uint8Array;
  readonly id?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export const asService = as(serviceCaller(TENANT, "orchestrator"));
export const asRunner = as({
  tenant: TENANT,
  subject: "runner:host-1",
  groups: [],
  roles: ["runner"],
  assurance: "service",
});
export const asOperator = as({
  tenant: TENANT,
  subject: "ada@example.com",
  groups: [],
  roles: ["operator"],
  assurance: "token",
});

export interface StateFixtureOptions {
  readonly maxUploadBytes?: number;
  readonly keyEncryption?: KeyEncryption;
}

export async function createStateFixture(
  database: OwnedDatabase,
  options: StateFixtureOptions = {},
): Promise<StateFixture> {
  const folder = mkdtempSync(join(tmpdir(), "xcf-state-"));
  const log: string[] = [];
  const clock = createSystemClock();
  const logger = createLogger({ level: "debug", now: () => clock.now(), write: (line) => log.push(line) });
  const attemptKeys = generateKeyPairSync("ed25519");
  const instance = createStateService({
    database,
    clock,
    ids: createIds(clock, createSystemRandom()),
    logger,
    keyEncryption: options.keyEncryption ?? (await createAgeKeyEncryption(join(folder, "data.age"))),
    attemptKey: attemptKeys.publicKey,
    authenticate: async (token) => TOKENS[token],
    ...(options.maxUploadBytes === undefined ? {} : { maxUploadBytes: options.maxUploadBytes }),
  });
  const server = createServer((request, response) => void instance.httpHandler(request, response));
  const url = await listenOnLoopback(server);
  const transport = createMemoryTransport([instance.routes], { logger, clock, newReference: () => "ref" });

  const fixture: StateFixture = {
    instance,
    url,
    rpc: createCodedClient(StateService, transport),
    log,
    attemptKeys,
    stateUrl: (unit = UNIT, tenant = TENANT) => `${url}/terraform/${tenant}/${unit}`,
    async fetch(method, { unit = UNIT, tenant = TENANT, password = "writer", body, id, headers = {} } = {}) {
      const query = id === undefined ? "" : `?ID=${encodeURIComponent(id)}`;
      const authorization = `Basic ${Buffer.from(`any:${password}`).toString("base64")}`;
      return await fetch(`${fixture.stateUrl(unit, tenant)}${query}`, {
        method,
        headers: { authorization, ...headers },
        ...(body === undefined ? {} : { body: Buffer.from(body) }),
      });
    },
    async attemptToken(claims = {}, expiresInMs = 60_000) {
      const now = clock.now().getTime();
      const issued = new Date(Math.min(now, now + expiresInMs) - 1000);
      return await signAttemptToken(attemptKeys.privateKey, attemptClaims(claims), issued, new Date(now + expiresInMs));
    },
    async events() {
      return await database.asOwner("test.read-events", async (tx) => {
        await sql`select set_config('role', 'xcf_state_system', true), set_config('xcf.tenant', '*', true)`.execute(tx);
        const { rows } = await sql<{ event: Uint8Array }>`select event from state.outbox order by position`.execute(tx);
        return rows.map(({ event }) => {
          const { type, xcfactor, subject, data } = JSON.parse(Buffer.from(event).toString("utf8"));
          return { type: type.replace("io.xcloudflow.state.", ""), actor: xcfactor, subject, data };
        });
      });
    },
    async close() {
      await instance.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      rmSync(folder, { recursive: true });
    },
  };
  return fixture;
}

export function attemptClaims(claims: Partial<AttemptClaims> = {}): AttemptClaims {
  const fence = claims.fence ?? 1;
  return {
    tenant: TENANT,
    environment: "prod",
    unit: UNIT,
    run: "run_1",
    task: "task_1",
    attempt: fence,
    fence,
    purpose: "apply",
    digest: "",
    secrets: [],
    outputs: [],
    ...claims,
  };
}

async function listenOnLoopback(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return `http://127.0.0.1:${port}`;
}

/** A state as terraform writes it, with `values` as its outputs. */
export function stateText(
  serial: number,
  lineage = "lineage-1",
  values: Readonly<Record<string, string>> = {},
): string {
  const outputs = Object.fromEntries(Object.entries(values).map(([name, value]) => [name, { value, type: "string" }]));
  return `${JSON.stringify({ version: 4, terraform_version: "1.11.4", serial, lineage, outputs, resources: [], check_results: null }, null, 2)}\n`;
}

export function lockInfo(id: string, who = "ada@laptop"): string {
  return JSON.stringify({
    ID: id,
    Operation: "OperationTypeApply",
    Info: "",
    Who: who,
    Version: "1.11.4",
    Created: "2026-01-01T00:00:00Z",
    Path: "",
  });
}
