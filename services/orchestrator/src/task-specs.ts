import type { CompiledUnit } from "@xcloudflow/model/compilation";
import { type Inputs, inputNodes } from "@xcloudflow/model/input-value";
import type { TaskKind, TaskSpec } from "@xcloudflow/model/task-spec";
import type { UnitPlan } from "@xcloudflow/model/unit-plan";
import { draftEvent, type EventDraft } from "./orchestrator-events.ts";
import type { RunRow, TaskRow } from "./rows.ts";

/** The parts of a unit a task is made from; a compiled unit and a ChangeSet's unit both have them. */
export type TaskUnit = Pick<
  CompiledUnit,
  "address" | "engine" | "module" | "engineConfig" | "credentials" | "ignoreDrift" | "replace" | "pool"
>;

export interface TaskWish {
  readonly kind: TaskKind;
  readonly inputs: Inputs;
  readonly provisional: boolean;
  readonly destroy: boolean;
  /** Plan against this unit's state: it becomes this one's when the ChangeSet is applied. */
  readonly movedFrom?: string | undefined;
  /** For `apply`: the plan to apply. */
  readonly plan?: UnitPlan;
  /** The trace the attempt is a part of. */
  readonly traceparent?: string | undefined;
}

/** What an engine is asked to do: for `apply` exactly the saved plan, under the engine version it was made with. */
export function specifyTask(
  tenant: string,
  environment: string,
  unit: TaskUnit,
  wish: TaskWish,
  timeoutSeconds: number,
): TaskSpec {
  const saved = wish.plan;
  const withPlan =
    saved?.artefact === undefined
      ? {}
      : {
          plan: {
            artefact: saved.artefact,
            digest: saved.artefactDigest ?? "",
            serial: saved.prior.serial,
            lineage: saved.prior.lineage,
          },
          engineVersion: saved.engineVersion,
        };
  return {
    kind: wish.kind,
    tenant,
    address: unit.address,
    engine: unit.engine,
    environment,
    module: unit.module,
    inputs: wish.inputs,
    provisional: wish.provisional,
    destroy: wish.destroy,
    replace: unit.replace,
    engineConfig: unit.engineConfig,
    credentials: wish.kind === "apply" ? unit.credentials.apply : unit.credentials.plan,
    ignoreDrift: unit.ignoreDrift,
    timeoutSeconds,
    ...(unit.pool === undefined ? {} : { pool: unit.pool }),
    ...(wish.movedFrom === undefined ? {} : { stateAddress: wish.movedFrom }),
    ...(wish.traceparent === undefined ? {} : { traceparent: wish.traceparent }),
    ...withPlan,
  };
}

/** The queued task for a spec. Plans and applies are separate pools, with separate credentials; so are those of a unit's own pool. */
export function queueTask(
  id: string,
  run: RunRow,
  spec: TaskSpec,
  unknownAttempts: readonly number[],
  now: string,
): TaskRow {
  return {
    id,
    run: run.id,
    unit: spec.address,
    environment: run.environment,
    kind: spec.kind,
    engine: spec.engine,
    pool: taskPool(spec),
    status: "queued",
    spec: JSON.stringify(spec),
    tries: 0,
    attempt: 0,
    worker: null,
    availableAt: now,
    leaseExpiresAt: null,
    cancelRequested: false,
    unknownAttempts: unknownAttempts.join(","),
    concurrency: run.concurrency,
    createdAt: now,
  };
}

/** Tells other processes that a worker of this engine may claim; this one's workers are told by the `offer` command. */
export function taskQueued(task: TaskRow): { readonly event: EventDraft } {
  return draftEvent("task", "queued", task.unit, "orchestrator", {
    run: task.run,
    task: task.id,
    kind: task.kind,
    engine: task.engine,
    pool: task.pool,
  });
}

/** References an attempt may open: `secret://` in inputs and credentials, and sensitive outputs of other units. */
export function referencesOf(spec: TaskSpec): { secrets: string[]; outputs: { unit: string; output: string }[] } {
  const secrets = new Set(Object.values(spec.credentials));
  const outputs = new Map<string, { unit: string; output: string }>();
  for (const value of Object.values(spec.inputs)) {
    for (const node of inputNodes(value)) {
      if (node.$xcf === "secret") secrets.add(node.ref);
      if (node.$xcf === "sensitive")
        outputs.set(`${node.address} ${node.output}`, { unit: node.address, output: node.output });
    }
  }
  return { secrets: [...secrets], outputs: [...outputs.values()] };
}

function taskPool({ kind, pool }: TaskSpec): string {
  const side = kind === "apply" || kind === "restore" ? "apply" : "plan";
  return pool === undefined ? side : `${pool}-${side}`;
}

/** Pools whose tasks a worker of this one takes: `big` does both sides of it, `big-plan` only plans. */
export function poolsOfWorker(pool: string): readonly string[] {
  return [pool, `${pool}-plan`, `${pool}-apply`];
}
