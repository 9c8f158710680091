import { create } from "@bufbuild/protobuf";
import type { CallOptions } from "@connectrpc/connect";
import type { Random } from "@xcloudflow/chassis/random";
import type { AppliedPointer } from "@xcloudflow/model/applied-pointer";
import { type ChangeSet, changeSetSchema } from "@xcloudflow/model/change-set";
import { CodedError } from "@xcloudflow/model/coded-error";
import { type Compilation, type CompiledUnit, compilationSchema, type Edge } from "@xcloudflow/model/compilation";
import { digestOf } from "@xcloudflow/model/digest";
import { decodeDocument, encodeDocument } from "@xcloudflow/model/parse-json";
import { type UnitPlan, unitPlanSchema } from "@xcloudflow/model/unit-plan";
import type { PlannerClient, PolicyClient, SecretsClient, StateClient } from "@xcloudflow/orchestrator/collaborators";
import * as planner from "@xcloudflow/proto/planner/v1/planner_pb";
import * as policy from "@xcloudflow/proto/policy/v1/policy_pb";
import * as secrets from "@xcloudflow/proto/secrets/v1/secrets_pb";
import * as state from "@xcloudflow/proto/state/v1/state_pb";

/** Thrown by the simulated network in the place of an answer. */
class ServiceAwayError extends CodedError {
  constructor(service: string) {
    super("SERVICE_AWAY", "unavailable", { what: `${service} does not answer` });
  }
}

/** One effect on the outside world: what the invariants are about. Kept outside everything that can crash. */
export interface Effect {
  readonly unit: string;
  readonly changeSet: string;
  readonly attempt: number;
  readonly at: number;
}

/** The world around the orchestrator: repository, policy, state and the cloud itself, with a network that fails. */
export interface SimulatedWorld {
  readonly planner: PlannerClient;
  readonly policy: PolicyClient;
  readonly state: StateClient;
  readonly secrets: SecretsClient;
  readonly units: readonly CompiledUnit[];
  readonly edges: readonly Edge[];
  readonly effects: Effect[];
  readonly fences: Map<string, number>;
  readonly applied: Map<string, AppliedPointer>;
  readonly changeSets: Map<string, ChangeSet>;
  /** Content the cloud has, by unit. */
  readonly cloud: Map<string, string>;
  /** Probability that a call is lost, before or after it took effect. */
  faultRate: number;
  faults: number;
}

export function createSimulatedWorld(random: Random): SimulatedWorld {
  const units = drawUnits(random);
  const edges = drawEdges(units, random);
  const world: SimulatedWorld = {
    units,
    edges,
    effects: [],
    fences: new Map(),
    applied: new Map(),
    changeSets: new Map(),
    cloud: new Map(),
    faultRate: 0,
    faults: 0,
    planner: {
      compile: answering("planner", () =>
        create(planner.CompileResponseSchema, { compilationDocument: encodeDocument(compile(world)) }),
      ),
      assemble: answering("planner", (request) => assemble(request)),
      checkFreshness: answering("planner", () => create(planner.CheckFreshnessResponseSchema, {})),
    },
    policy: {
      evaluate: answering("policy", () =>
        create(policy.EvaluateResponseSchema, {
          verdictDocument: encodeDocument({ verdict: "allow", denials: [], warnings: [], revision: "r1" }),
        }),
      ),
    },
    secrets: {
      raiseFence: answering("secrets", () => create(secrets.RaiseFenceResponseSchema, {})),
    },
    state: {
      putChangeSet: answering("state", (request) => {
        const changeSet = decodeDocument(changeSetSchema, request.document ?? new Uint8Array(), "ChangeSet");
        world.changeSets.set(changeSet.id, changeSet);
        return create(state.PutChangeSetResponseSchema, {});
      }),
      getChangeSet: answering("state", ({ id }) =>
        create(state.GetChangeSetResponseSchema, { document: encodeDocument(world.changeSets.get(id ?? "")) }),
      ),
      listApplied: answering("state", ({ units: wanted }) =>
        create(state.ListAppliedResponseSchema, {
          pointerDocuments: (wanted ?? []).flatMap((unit) => {
            const pointer = world.applied.get(unit);
            return pointer === undefined ? [] : [encodeDocument(pointer)];
          }),
        }),
      ),
      putApplied: answering("state", ({ unit, pointerDocument }) => {
        const pointer = JSON.parse(new TextDecoder().decode(pointerDocument));
        // Nothing vanishes here, so what an attempt began with is asked for by nobody.
        if (pointer.attempted !== true) world.applied.set(unit ?? "", pointer);
        return create(state.PutAppliedResponseSchema, {});
      }),
      deleteApplied: answering("state", ({ unit }) => {
        world.applied.delete(unit ?? "");
        return create(state.DeleteAppliedResponseSchema, {});
      }),
      listStates: answering("state", () => create(state.ListStatesResponseSchema, {})),
      raiseFence: answering("state", ({ unit, fence }) => {
        world.fences.set(unit ?? "", Math.max(world.fences.get(unit ?? "") ?? 0, Number(fence ?? 0n)));
        return create(state.RaiseFenceResponseSchema, {});
      }),
      putDrift: answering("state", () => create(state.PutDriftResponseSchema, {})),
      moveState: answering("state", () => create(state.MoveStateResponseSchema, {})),
    },
  };

  /** A call that can be lost on the way there (nothing happened) or on the way back (it happened, nobody knows). */
  function answering<Q, A>(
    service: string,
    answer: (request: Q) => A,
  ): (request: Q, options?: CallOptions) => Promise<A> {
    return async (request) => {
      if (random.float() < world.faultRate) {
        world.faults += 1;
        if (random.float() < 0.5) answer(request);
        throw new ServiceAwayError(service);
      }
      return answer(request);
    };
  }
  return world;
}

const LIFECYCLES = ["Foundation", "Platform", "Application"] as const;

function drawUnits(random: Random): CompiledUnit[] {
  const count = 2 + random.integer(6);
  return Array.from({ length: count }, (_, index): CompiledUnit => {
    const address = `sim/stack/unit-${index}`;
    const lifecycle = LIFECYCLES[random.integer(LIFECYCLES.length)] ?? "Platform";
    const matrix = { layer: "matrix" } as const;
    return {
      address,
      action: "apply",
      engine: "terraform",
      route: {
        address,
        lifecycle: { value: lifecycle, from: matrix },
        changeFrequency: { value: "medium", from: matrix },
        engine: { value: "terraform", from: matrix },
        reconcile: { value: { strategy: "periodic", interval: "30m" }, from: matrix },
        drift: { value: "correct", from: matrix },
        gate: {
          value: { kind: lifecycle === "Foundation" ? "forced" : "automatic", groups: [], quorum: 1 },
          from: matrix,
        },
        backup: { value: "none", from: matrix },
        concurrency: { value: 2, from: matrix },
      },
      module: { archive: "sha256:module", path: "module", contentHash: `sha256:${index}` },
      inputs: {},
      engineConfig: {},
      credentials: { plan: {}, apply: {} },
      ignoreDrift: [],
      contentHash: `sha256:unit-${index}`,
      selected: true,
      reason: "new",
      replace: [],
    };
  });
}

function drawEdges(units: readonly CompiledUnit[], random: Random): Edge[] {
  const edges: Edge[] = [];
  for (const [index, to] of units.entries()) {
    for (const from of units.slice(0, index))
      if (random.float() < 0.4) edges.push({ from: from.address, to: to.address });
  }
  return edges;
}

function compile(world: SimulatedWorld): Compilation {
  return {
    tenant: "default",
    repository: "/repository",
    environment: "sim",
    commit: "c".repeat(40),
    baseCommit: "",
    dirty: false,
    authors: ["author@example.com"],
    units: [...world.units],
    edges: [...world.edges],
    governance: {
      commit: "",
      governingDigest: "g",
      proposedDigest: "g",
      policyRevisions: ["r1"],
      changes: [],
      approvals: { groups: [], quorum: 1, selfApproval: false, declared: true },
      tier: "production",
      concurrency: 2,
      conditions: [],
    },
  };
}

function assemble(request: {
  readonly changeSetId?: string;
  readonly compilationDocument?: Uint8Array;
  readonly unitPlanDocuments?: Uint8Array[];
  readonly createdAt?: string;
  readonly expiresAt?: string;
  readonly author?: string;
}) {
  const compilation = decodeDocument(compilationSchema, request.compilationDocument ?? new Uint8Array(), "compilation");
  const units = new Map(compilation.units.map((unit) => [unit.address, unit]));
  const plans = (request.unitPlanDocuments ?? []).map((bytes) => decodeDocument(unitPlanSchema, bytes, "plan"));
  const draft = {
    id: request.changeSetId ?? "",
    tenant: "default",
    repository: compilation.repository,
    environment: compilation.environment,
    origin: { kind: "manual" },
    commit: compilation.commit,
    baseCommit: "",
    dirty: false,
    author: request.author ?? "",
    authors: compilation.authors,
    createdAt: request.createdAt ?? "",
    expiresAt: request.expiresAt ?? "",
    units: plans.flatMap((plan) => {
      const unit = units.get(plan.address);
      if (unit === undefined) return [];
      const { route, module, inputs, engineConfig, credentials, ignoreDrift, replace, contentHash } = unit;
      return [
        {
          ...plan,
          lifecycle: route.lifecycle.value,
          changeFrequency: "medium",
          route,
          module,
          inputs,
          engineConfig,
          credentials,
          ignoreDrift,
          replace,
          contentHash,
          reason: "new",
          prior: { ...plan.prior, snapshot: null },
        },
      ];
    }),
    edges: compilation.edges,
    gates: [
      {
        kind: "approval",
        units: plans.map((plan) => plan.address),
        groups: [],
        quorum: 1,
        reasons: ["forced"],
        selfApproval: false,
      },
    ],
    policy: { verdict: "allow", denials: [], warnings: [], revision: "r1" },
    governance: compilation.governance,
    cost: { monthlyDelta: "0", currency: "USD" },
  };
  const digest = `xcf1:${digestOf(draft)}`;
  return create(planner.AssembleResponseSchema, { changeSetDocument: encodeDocument({ ...draft, digest }), digest });
}

/** What the simulated engine plans for a unit: a creation, unless the cloud has its content already. */
export function planUnit(world: SimulatedWorld, unit: string, now: number): UnitPlan {
  const wanted = world.units.find((other) => other.address === unit)?.contentHash ?? "";
  const there = world.cloud.get(unit) === wanted;
  return {
    address: unit,
    status: there ? "unchanged" : "planned",
    engine: "terraform",
    engineVersion: "1.0.0",
    destroy: false,
    summary: { create: there ? 0 : 1, update: 0, replace: 0, delete: 0, noop: there ? 1 : 0 },
    changes: there
      ? []
      : [
          {
            address: "thing.it",
            type: "thing",
            actions: ["create"],
            before: null,
            after: { content: wanted },
            unknown: {},
            sensitive: {},
            replacePaths: [],
          },
        ],
    drift: [],
    outputs: { id: { unknown: false, sensitive: false, value: wanted } },
    ...(there ? {} : { artefact: `sha256:plan-${unit}-${now}`, artefactDigest: `sha256:plan-${unit}-${now}` }),
    locks: {},
    prior: { serial: 0, lineage: "" },
    hazards: [],
  };
}
