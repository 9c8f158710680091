import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ServiceImpl } from "@connectrpc/connect";
import { as, type Caller } from "@xcloudflow/chassis/caller";
import { createClients, type ServiceClients } from "@xcloudflow/chassis/clients";
import { createSystemClock } from "@xcloudflow/chassis/clock";
import { silentLogger } from "@xcloudflow/chassis/logger";
import { createMemoryTransport } from "@xcloudflow/chassis/memory-transport";
import type { AppliedPointer } from "@xcloudflow/model/applied-pointer";
import { type ChangeSet, changeSetSchema } from "@xcloudflow/model/change-set";
import { type Compilation, type CompiledUnit, compilationSchema } from "@xcloudflow/model/compilation";
import { decodeDocument, encodeDocument } from "@xcloudflow/model/parse-json";
import type { UnitPlan } from "@xcloudflow/model/unit-plan";
import { compileEnvironment } from "@xcloudflow/planner/compile";
import { createPlanner, type PlannerOptions } from "@xcloudflow/planner/planner-service";
import { defineBundle } from "@xcloudflow/policy/policy-bundle";
import { PlannerService } from "@xcloudflow/proto/planner/v1/planner_pb";
import { PolicyService } from "@xcloudflow/proto/policy/v1/policy_pb";
import { RouterService } from "@xcloudflow/proto/router/v1/router_pb";
import { SecretsService } from "@xcloudflow/proto/secrets/v1/secrets_pb";
import { StateService } from "@xcloudflow/proto/state/v1/state_pb";
import { createRouter } from "@xcloudflow/router/router-service";

export const CALLER: Caller = {
  tenant: "t",
  subject: "service:test",
  groups: [],
  roles: ["service"],
  assurance: "service",
};

export interface CompileWish {
  readonly repository: string;
  readonly head?: string;
  readonly base?: string;
  readonly environment?: string;
  readonly dirty?: boolean;
  readonly only?: string[];
  readonly replace?: string[];
  readonly destroy?: boolean;
  readonly governanceCommit?: string;
  readonly appliedOnly?: boolean;
}

/** The real planner and router over the embedded transport; artefacts and applied pointers are kept in maps. */
export interface PlannerFixture {
  /** Router, state and policy, as the planner sees them. */
  readonly backing: ServiceClients;
  readonly clients: ServiceClients;
  readonly artefacts: Map<string, Buffer>;
  readonly applied: Map<string, AppliedPointer>;
  readonly stateful: Set<string>;
  compile(wish: CompileWish): Promise<Compilation>;
  /** Compiles in this process, without RPC around it and without storing archives. */
  compileOnly(wish: CompileWish): Promise<Compilation>;
  /** Moves the applied pointers of all selected units to the compilation, as a finished run does. */
  apply(compilation: Compilation, only?: readonly string[]): void;
  /** A ChangeSet in which every selected unit creates one resource. */
  assemble(compilation: Compilation, change?: (plan: UnitPlan) => UnitPlan): Promise<ChangeSet>;
  freshness(changeSet: ChangeSet, repository: string, governanceCommit?: string): Promise<string[]>;
  [Symbol.dispose](): void;
}

const NOTHING_WISHED = {
  head: "",
  base: "",
  environment: "",
  dirty: false,
  only: [],
  replace: [],
  destroy: false,
  governanceCommit: "",
  governanceCommits: {},
  appliedOnly: false,
};

export function makePlanner(options: Pick<PlannerOptions, "transports" | "registries"> = {}): PlannerFixture {
  const cacheDirectory = mkdtempSync(join(tmpdir(), "xcf-planner-cache-"));
  const artefacts = new Map<string, Buffer>();
  const applied = new Map<string, AppliedPointer>();
  const stateful = new Set<string>();
  let appliedCount = 0;
  const interceptors = { logger: silentLogger, clock: createSystemClock(), newReference: () => "ref" };
  const backing = createClients(
    createMemoryTransport(
      [
        (router) => router.service(RouterService, createRouter().rpc),
        (router) => router.service(StateService, stateRoutes(artefacts, applied, stateful)),
        (router) => router.service(SecretsService, { configureBackends: () => ({}) }),
        (router) =>
          router.service(PolicyService, { loadBundle: ({ files }) => ({ revision: defineBundle(files).revision }) }),
      ],
      interceptors,
    ),
  );
  const planner = createPlanner({
    router: backing.router,
    policy: backing.policy,
    secrets: backing.secrets,
    state: backing.state,
    cacheDirectory,
    ...options,
  });
  const clients = createClients(
    createMemoryTransport([(router) => router.service(PlannerService, planner.rpc)], interceptors),
  );
  return {
    backing,
    clients,
    artefacts,
    applied,
    stateful,
    async compile(wish) {
      const { compilationDocument } = await clients.planner.compile(wish, as(CALLER));
      return decodeDocument(compilationSchema, compilationDocument, "compilation");
    },
    compileOnly: (wish) =>
      compileEnvironment(planner.context, { tenant: CALLER.tenant, ...NOTHING_WISHED, ...wish, upload: false }),
    apply(compilation, only) {
      appliedCount += 1;
      for (const unit of compilation.units) {
        if (!unit.selected || (only !== undefined && !only.includes(unit.address))) continue;
        if (unit.movedFrom !== undefined) applied.delete(unit.movedFrom);
        if (unit.action === "destroy") applied.delete(unit.address);
        else applied.set(unit.address, pointerOf(unit, compilation, appliedCount));
      }
    },
    async assemble(compilation, change = (plan) => plan) {
      const { changeSetDocument, digest } = await clients.planner.assemble(
        {
          changeSetId: "cs_1",
          compilationDocument: encodeDocument(compilation),
          unitPlanDocuments: compilation.units
            .filter(({ selected }) => selected)
            .map((unit) => encodeDocument(change(planFor(unit)))),
          policyDocument: encodeDocument({
            verdict: { verdict: "allow", denials: [], warnings: [], revision: "r" },
            tightenings: [],
          }),
          author: "ada@example.com",
          originDocument: encodeDocument({ kind: "manual" }),
          createdAt: "2026-01-01T00:00:00Z",
          expiresAt: "2026-01-08T00:00:00Z",
        },
        as(CALLER),
      );
      const changeSet = decodeDocument(changeSetSchema, changeSetDocument, "ChangeSet");
      if (changeSet.digest !== digest) throw new Error("the answer's digest is not the document's");
      return changeSet;
    },
    async freshness(changeSet, repository, governanceCommit = "") {
      const { differences } = await clients.planner.checkFreshness(
        { changeSetDocument: encodeDocument(changeSet), repository, head: "", governanceCommit },
        as(CALLER),
      );
      return differences.map(({ unit, what }) => `${unit} ${what}`.trim());
    },
    [Symbol.dispose]() {
      planner.close();
      rmSync(cacheDirectory, { recursive: true, force: true });
    },
  };
}

const encoded = new WeakMap<AppliedPointer, Uint8Array>();

function encodeOnce(pointer: AppliedPointer): Uint8Array {
  const bytes = encoded.get(pointer) ?? encodeDocument(pointer);
  encoded.set(pointer, bytes);
  return bytes;
}

function stateRoutes(
  artefacts: Map<string, Buffer>,
  applied: Map<string, AppliedPointer>,
  stateful: Set<string>,
): Partial<ServiceImpl<typeof StateService>> {
  return {
    hasArtefacts: ({ ids }) => ({ present: ids.filter((id) => artefacts.has(id)) }),
    async putArtefact(requests) {
      const parts: Uint8Array[] = [];
      for await (const { part } of requests) if (part.case === "data") parts.push(part.value);
      const content = Buffer.concat(parts);
      const id = `sha256:${createHash("sha256").update(content).digest("hex")}`;
      artefacts.set(id, content);
      return { id, size: BigInt(content.length) };
    },
    listApplied: ({ environment, units }) => ({
      pointerDocuments: [...applied.values()]
        .filter(
          (pointer) =>
            (environment === "" || pointer.environment === environment) &&
            (units.length === 0 || units.includes(pointer.address)),
        )
        .map(encodeOnce),
    }),
    listStates: () => ({ states: [...stateful].map((unit) => ({ unit, version: 1n })) }),
  };
}

function pointerOf(unit: CompiledUnit, compilation: Compilation, count: number): AppliedPointer {
  return {
    address: unit.address,
    tenant: compilation.tenant,
    environment: compilation.environment,
    commit: compilation.commit,
    changeSet: `cs_${count}`,
    run: `run_${count}`,
    unit,
    dependsOn: compilation.edges.filter(({ to }) => to === unit.address).map(({ from }) => from),
    outputs: {},
    serial: 1,
    lineage: "l",
    engineVersion: "1",
    appliedAt: new Date(Date.UTC(2026, 0, 1, 0, count)).toISOString(),
  };
}

export function planFor(unit: CompiledUnit): UnitPlan {
  const destroy = unit.action === "destroy";
  return {
    address: unit.address,
    status: "planned",
    engine: unit.engine,
    engineVersion: "1.11.0",
    destroy,
    summary: { create: destroy ? 0 : 1, update: 0, replace: 0, delete: destroy ? 1 : 0, noop: 0 },
    changes: [],
    drift: [],
    outputs: {},
    locks: {},
    prior: { serial: 0, lineage: "" },
    hazards: [],
  };
}
