import { as, serviceCaller } from "@xcloudflow/chassis/caller";
import type { OwnedDatabase } from "@xcloudflow/database/database";
import { encodeDocument } from "@xcloudflow/model/parse-json";
import type { ChangeSetRow, RunRow } from "@xcloudflow/orchestrator/rows";
import { sql } from "kysely";
import type { AllServices } from "./all-services.ts";
import { stateText, TENANT, UNIT } from "./state-fixture.ts";

/** Stands in everything that is planted, so that whoever sees any of it is found. */
export const MARK = "mark-7f3a9c";

export interface Planted {
  /** Values of request fields, by the field's name, and of whole requests, by the method's. */
  readonly real: Readonly<Record<string, unknown>>;
  /** The same with ids that nothing has. */
  readonly absent: Readonly<Record<string, unknown>>;
}

const AT = "2026-11-26T11:00:00.000Z";

/** One of everything that a tenant can have, in the environment `prod`. */
export async function plantRows(services: AllServices): Promise<Planted> {
  const { api, clients, state, store } = services;
  const service = as(serviceCaller(TENANT, "orchestrator"));
  const admin = {
    tenant: TENANT,
    subject: `root-${MARK}`,
    groups: [],
    roles: ["admin" as const],
    assurance: "token" as const,
  };
  const wish = { role: "viewer", subject: `holder-${MARK}`, groups: [], writeState: false, expiresAt: "" };
  const token = await api.createToken(admin, wish);
  const artefact = await clients.state.putArtefact(
    (async function* () {
      yield { part: { case: "header" as const, value: { kind: "log", unit: "", id: "" } } };
      yield { part: { case: "data" as const, value: Buffer.from(`bytes ${MARK}`) } };
    })(),
    service,
  );
  const digest = "xcf1:sha256:planted";
  await clients.state.putChangeSet(
    { id: "cs_planted", digest, environment: "prod", document: encodeDocument({ about: MARK }) },
    service,
  );
  await clients.state.putDrift(
    {
      unit: UNIT,
      run: "run_planted",
      changesDocument: encodeDocument([
        {
          address: `null_resource.${MARK}`,
          type: "null_resource",
          actions: ["update"],
          before: null,
          after: {},
          unknown: {},
          sensitive: {},
          replacePaths: [],
        },
      ]),
    },
    service,
  );
  const written = await state.fetch("POST", { body: stateText(1, `lineage-${MARK}`, { a: MARK }) });
  if (!written.ok) throw new TypeError(`the state is not taken: ${written.status} ${await written.text()}`);
  await store.transact(TENANT, "plant", async (tx) => {
    await tx.write([
      { put: "run", row: run() },
      { put: "changeSet", row: changeSet(digest) },
      {
        put: "lock",
        row: { kind: "unit", name: UNIT, run: "run_planted", mode: "exclusive", reason: `because ${MARK}`, since: AT },
      },
    ]);
  });
  await services.settle();
  const real = {
    unit: UNIT,
    units: [UNIT],
    environment: "",
    changeSet: "cs_planted",
    digest,
    kind: "unit",
    name: UNIT,
    ids: [artefact.id],
    references: ["secret://env/X"],
    worker: "worker-1",
    task: "task_planted",
    token: token.token,
    attemptToken: "x.y.z",
    fromUnit: UNIT,
    toUnit: "prod/shop/moved",
    fence: 99n,
    repository: "/nonexistent",
    firstSize: 1n,
    revisions: ["none"],
    ResolveOutputs: { references: [] },
    GetRun: { id: "run_planted" },
    WatchRun: { id: "run_planted" },
    CancelRun: { id: "run_planted" },
    RetryRun: { id: "run_planted" },
    GetChangeSet: { id: "cs_planted" },
    GetArtefact: { id: artefact.id },
    RevokeToken: { id: token.id },
    CreateToken: { role: "viewer" },
    StartRun: { kind: "apply" },
    PutChangeSet: { id: "cs_planted", document: encodeDocument({}) },
    PutArtefact: { part: { case: "header", value: { kind: "log", unit: "", id: "" } } },
    RecoverState: { part: { case: "header", value: { attemptToken: "x.y.z", unit: UNIT, deadFence: 1n } } },
  };
  const gone = { id: "none_1" };
  return {
    real,
    absent: {
      ...real,
      unit: "prod/none/none",
      units: [],
      changeSet: "cs_none",
      name: "prod/none/none",
      ids: ["sha256:none"],
      token: "none",
      fromUnit: "prod/none/none",
      toUnit: "prod/none/other",
      fence: 0n,
      GetRun: gone,
      WatchRun: gone,
      CancelRun: gone,
      RetryRun: gone,
      GetChangeSet: gone,
      GetArtefact: gone,
      RevokeToken: gone,
      StartRun: { kind: "plan", repository: "" },
      PutChangeSet: { id: "cs_other", document: encodeDocument({}) },
    },
  };
}

/** Every row of one tenant as text; what is on its way to the log (the outbox) changes by itself. */
export async function rowsOfTenant(database: OwnedDatabase, tenant: string): Promise<string> {
  const parts: string[] = [];
  for (const service of ["api", "audit", "orchestrator", "policy", "secrets", "state"]) {
    await database.asOwner("test.rows-of-tenant", async (tx) => {
      const { rows: tables } = await sql<{ name: string }>`
        select table_name as name from information_schema.columns
        where table_schema = ${service} and column_name = 'tenant' and table_name <> 'outbox' order by 1`.execute(tx);
      await sql`select set_config('role', ${`xcf_${service}_system`}, true), set_config('xcf.tenant', '*', true)`.execute(
        tx,
      );
      for (const { name } of tables) {
        const { rows } = await sql<{ text: string }>`
          select t::text as text from ${sql.table(`${service}.${name}`)} t where tenant = ${tenant} order by 1`.execute(
          tx,
        );
        for (const { text } of rows) parts.push(`${service}.${name} ${text}`);
      }
    });
  }
  return parts.join("\n");
}

function run(): RunRow {
  return {
    id: "run_planted",
    kind: "apply",
    phase: "done",
    status: "failed",
    environment: "prod",
    repository: `/srv/${MARK}`,
    changeSet: "cs_planted",
    request: "{}",
    actor: JSON.stringify({ tenant: TENANT, subject: MARK, groups: [], roles: [], assurance: "token" }),
    idempotencyKey: `key-${MARK}`,
    waitingKind: null,
    waitingFor: null,
    unfinished: 0,
    concurrency: 1,
    failure: null,
    createdAt: AT,
    endedAt: AT,
    sequence: 0,
  };
}

function changeSet(digest: string): ChangeSetRow {
  return {
    id: "cs_planted",
    environment: "prod",
    repository: `/srv/${MARK}`,
    digest,
    phase: "open",
    reason: MARK,
    dirty: false,
    author: "eve@example.com",
    authors: '["eve@example.com"]',
    identities: null,
    gates: "[]",
    commit: `c-${MARK}`,
    series: "s",
    planRun: "run_planted",
    applyRun: "run_planted",
    parent: null,
    createdAt: AT,
    expiresAt: "2027-11-26T11:00:00.000Z",
  };
}
