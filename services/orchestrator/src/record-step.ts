import { as, serviceCaller } from "@xcloudflow/chassis/caller";
import type { AppliedPointer } from "@xcloudflow/model/applied-pointer";
import type { ChangeSet, ChangeSetUnit } from "@xcloudflow/model/change-set";
import { encodeDocument } from "@xcloudflow/model/parse-json";
import { taskResultSchema } from "@xcloudflow/model/task-result";
import { loadPointers } from "./applied-outputs.ts";
import type { OrchestratorContext } from "./orchestrator-context.ts";
import { planOf } from "./plan-driver.ts";
import type { RunRow, StepRow } from "./rows.ts";
import { isAsRead, stepAsRead, transact } from "./run-transaction.ts";
import { succeedStep } from "./step-decision.ts";

/** Moves the unit's applied pointer to what has just been applied, then ends the step. Both may be repeated. */
export async function recordStep(
  context: OrchestratorContext,
  tenant: string,
  run: RunRow,
  changeSet: ChangeSet,
  unit: ChangeSetUnit,
  step: StepRow,
): Promise<boolean> {
  const service = as(serviceCaller(tenant, "orchestrator"));
  const fence = await readFence(context, tenant, step);
  if (fence === undefined) return false;
  if (unit.destroy) {
    await context.state.deleteApplied({ unit: unit.address, fence }, service);
  } else {
    const before = (await loadPointers(context.state, tenant, [unit.address])).get(unit.address);
    const pointer = pointerOf(context, tenant, run, changeSet, unit, step, before);
    await context.state.putApplied({ unit: unit.address, fence, pointerDocument: encodeDocument(pointer) }, service);
  }
  return transact(context, tenant, "record-step", run, async (current, write, tx) => {
    const { step: fresh, after } = await tx.stepAndAfter(run.id, step.unit);
    if (fresh === undefined || !isAsRead(fresh, step)) return [];
    const decision = succeedStep({ run: current, step: fresh, after }, context.clock.now().toISOString());
    await write(decision.changes);
    return decision.commands;
  });
}

/**
 * The unit's fence while the step is as it was read; undefined when somebody else has moved it. Every attempt that follows
 * raises the fence first, so that a pointer which comes late, after another replica went on, is refused by it.
 */
function readFence(context: OrchestratorContext, tenant: string, step: StepRow): Promise<bigint | undefined> {
  return context.store.transact(tenant, "read-fence", async (tx) =>
    (await stepAsRead(tx, step)) === undefined ? undefined : BigInt((await tx.fence(step.unit))?.value ?? 0),
  );
}

/**
 * Before the first apply of a unit begins: what it is made with, so that what a failed attempt leaves behind can be
 * destroyed though the unit has vanished from the repository by then. May be repeated.
 */
export async function recordAttempt(
  context: OrchestratorContext,
  tenant: string,
  run: RunRow,
  changeSet: ChangeSet,
  unit: ChangeSetUnit,
  step: StepRow,
): Promise<void> {
  const fence = await readFence(context, tenant, step);
  if (fence === undefined) return;
  const pointer: AppliedPointer = {
    ...sourceOf(context, tenant, run, changeSet, unit),
    outputs: {},
    serial: unit.prior.serial,
    lineage: unit.prior.lineage,
    engineVersion: unit.engineVersion,
    attempted: true,
  };
  await context.state.putApplied(
    { unit: unit.address, fence, pointerDocument: encodeDocument(pointer) },
    as(serviceCaller(tenant, "orchestrator")),
  );
}

function pointerOf(
  context: OrchestratorContext,
  tenant: string,
  run: RunRow,
  changeSet: ChangeSet,
  unit: ChangeSetUnit,
  step: StepRow,
  before: AppliedPointer | undefined,
): AppliedPointer {
  const plan = planOf(step);
  const applied = step.result === null ? undefined : taskResultSchema.parse(JSON.parse(step.result));
  const outcome = applied?.kind === "applied" ? applied : undefined;
  const plannedOutputs = Object.keys(plan.outputs).length > 0 ? plan.outputs : (before?.outputs ?? {});
  return {
    ...sourceOf(context, tenant, run, changeSet, unit),
    outputs: outcome?.outputs ?? plannedOutputs,
    serial: outcome?.serial ?? plan.prior.serial,
    lineage: outcome?.lineage ?? plan.prior.lineage,
    engineVersion: plan.engineVersion,
  };
}

/** What a pointer says of where the unit comes from, whatever became of it. */
function sourceOf(
  context: OrchestratorContext,
  tenant: string,
  run: RunRow,
  changeSet: ChangeSet,
  unit: ChangeSetUnit,
): Omit<AppliedPointer, "outputs" | "serial" | "lineage" | "engineVersion"> {
  return {
    address: unit.address,
    tenant,
    environment: changeSet.environment,
    commit: changeSet.commit,
    changeSet: changeSet.id,
    run: run.id,
    unit: {
      address: unit.address,
      action: "apply",
      engine: unit.engine,
      route: unit.route,
      module: unit.module,
      inputs: unit.inputs,
      engineConfig: unit.engineConfig,
      credentials: unit.credentials,
      ignoreDrift: unit.ignoreDrift,
      ...(unit.pool === undefined ? {} : { pool: unit.pool }),
      ...(unit.owner === undefined ? {} : { owner: unit.owner }),
      contentHash: unit.contentHash,
      selected: false,
      reason: "unchanged",
      replace: [],
    },
    dependsOn: changeSet.edges.filter((edge) => edge.to === unit.address).map((edge) => edge.from),
    appliedAt: context.clock.now().toISOString(),
  };
}
