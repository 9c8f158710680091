import { as, serviceCaller } from "@xcloudflow/chassis/caller";
import { currentTraceparent } from "@xcloudflow/chassis/tracing";
import type { AppliedPointer } from "@xcloudflow/model/applied-pointer";
import type { ChangeSet, ChangeSetUnit } from "@xcloudflow/model/change-set";
import { checkSavedPlanInputs } from "@xcloudflow/model/envelope";
import { type Inputs, inputsSchema } from "@xcloudflow/model/input-value";
import type { TaskKind } from "@xcloudflow/model/task-spec";
import { loadAppliedOutputs } from "./applied-outputs.ts";
import type { Change } from "./decision.ts";
import type { OrchestratorContext } from "./orchestrator-context.ts";
import { planOf, refuseStep } from "./plan-driver.ts";
import { recordAttempt, recordStep } from "./record-step.ts";
import { resolveInputs } from "./resolve-inputs.ts";
import { reviewPlan } from "./review-plan.ts";
import type { RunRow, StepRow } from "./rows.ts";
import { isFinal } from "./run-failure.ts";
import { stepAsRead, transact } from "./run-transaction.ts";
import { endStep } from "./step-decision.ts";
import { queueTask, specifyTask, taskQueued } from "./task-specs.ts";
import { waitForPeople } from "./wait-for-people.ts";

export type Pointers = ReadonlyMap<string, AppliedPointer>;

/** Looks at every step that is not out with a worker and does the next thing for it. Answers whether anything moved. */
export async function driveSteps(
  context: OrchestratorContext,
  tenant: string,
  run: RunRow,
  changeSet: ChangeSet,
): Promise<boolean> {
  if (run.unfinished === 0) {
    return transact(context, tenant, "finish-steps", run, async (current, write) => {
      if (current.unfinished !== 0) return [];
      await write([{ put: "run", row: { ...current, phase: "finishing" } }]);
      return [];
    });
  }
  const steps = await context.store.transact(tenant, "read-steps-to-drive", (tx) => tx.stepsToDrive(run.id));
  const units = new Map(changeSet.units.map((unit) => [unit.address, unit]));
  let moved = false;
  const away: unknown[] = [];
  for (const step of steps) {
    const unit = units.get(step.unit);
    if (unit === undefined) continue;
    try {
      moved = (await driveStep(context, tenant, run, changeSet, unit, step)) || moved;
    } catch (error) {
      // One step's trouble is its own: others have workers out, whose run must not end under them.
      if (isFinal(error)) await refuseStep(context, tenant, run, step, error);
      else away.push(error);
      moved ||= isFinal(error);
    }
  }
  if (!moved && away.length > 0) throw away[0];
  return moved;
}

async function driveStep(
  context: OrchestratorContext,
  tenant: string,
  run: RunRow,
  changeSet: ChangeSet,
  unit: ChangeSetUnit,
  step: StepRow,
): Promise<boolean> {
  if (step.status === "recording" || (step.status === "ready" && step.stage === "record"))
    return recordStep(context, tenant, run, changeSet, unit, step);
  if (step.status === "waiting") return waitForPeople(context, tenant, run, step);
  return run.status === "canceling"
    ? leaveOff(context, tenant, run, step)
    : driveReady(context, tenant, run, changeSet, unit, step);
}

async function driveReady(
  context: OrchestratorContext,
  tenant: string,
  run: RunRow,
  changeSet: ChangeSet,
  unit: ChangeSetUnit,
  step: StepRow,
): Promise<boolean> {
  if (step.stage === "review") return reviewPlan(context, tenant, run, changeSet, unit, step);
  const applied = await loadAppliedOutputs(context.state, tenant, [unit.inputs]);
  const { inputs } =
    step.destroy && step.inputs !== null
      ? { inputs: inputsOf(step) }
      : resolveInputs(unit.address, unit.inputs, applied);
  if (step.stage !== "apply") return dispatch(context, tenant, run, unit, step, taskKind(step), inputs);
  // A saved plan has its inputs frozen in it: with others it is planned again and must stay inside what was approved.
  const same = step.destroy || checkSavedPlanInputs(inputsOf(step), inputs).within;
  if (same && unit.reason === "new" && !step.destroy) await recordAttempt(context, tenant, run, changeSet, unit, step);
  return dispatch(context, tenant, run, unit, step, same ? "apply" : "plan", inputs);
}

/**
 * The run is being canceled and the step's engine has just ended: what was applied is recorded without the plan that
 * would verify it, everything else ends here.
 */
async function leaveOff(context: OrchestratorContext, tenant: string, run: RunRow, step: StepRow): Promise<boolean> {
  return transact(context, tenant, "leave-off-step", run, async (current, write, tx) => {
    const fresh = await stepAsRead(tx, step);
    if (fresh === undefined) return [];
    if (fresh.stage === "verify") {
      const reason = "applied, and not verified because the run was canceled";
      await write([{ put: "step", row: { ...fresh, stage: "record", status: "recording", reason } }]);
      return [];
    }
    const now = context.clock.now().toISOString();
    const reason = fresh.outcomeWasUnknown
      ? "canceled before it was inspected; `xcf retry` inspects it"
      : "canceled before it was applied";
    const decision = endStep(current, fresh, "canceled", reason, await tx.steps(run.id), await tx.edges(run.id), now);
    await write(decision.changes);
    return decision.commands;
  });
}

function taskKind(step: StepRow): TaskKind {
  if (step.stage === "verify" || step.stage === "inspect") return step.stage;
  return "plan";
}

export function inputsOf(step: StepRow): Inputs {
  return inputsSchema.parse(JSON.parse(step.inputs ?? "{}"));
}

async function dispatch(
  context: OrchestratorContext,
  tenant: string,
  run: RunRow,
  unit: ChangeSetUnit,
  step: StepRow,
  kind: TaskKind,
  inputs: Inputs,
): Promise<boolean> {
  const plan = kind === "apply" ? planOf(step) : undefined;
  const traceparent = currentTraceparent();
  const known = { kind, inputs, provisional: false, destroy: step.destroy, traceparent };
  const wish = { ...known, ...(plan === undefined ? {} : { plan }) };
  const replace = await resourcesToReplace(context, tenant, run, unit, kind);
  const spec = specifyTask(tenant, run.environment, { ...unit, replace }, wish, context.timing.taskTimeoutSeconds);
  return transact(context, tenant, "dispatch-step", run, async (current, write, tx) => {
    const fresh = await stepAsRead(tx, step);
    if (fresh === undefined || current.status === "canceling") return [];
    const unknown =
      kind === "inspect"
        ? (await tx.attempts(step.unit, 20))
            .filter((attempt) => attempt.run === run.id && attempt.outcome === "unknown")
            .map((attempt) => attempt.attempt)
        : [];
    const now = context.clock.now().toISOString();
    const task = queueTask(context.ids.next("task"), current, spec, unknown, now);
    const stage = step.stage === "apply" && kind === "plan" ? "replan" : step.stage;
    const changes: Change[] = [
      {
        put: "step",
        row: { ...fresh, status: "running", stage, startedAt: fresh.startedAt ?? now, inputs: JSON.stringify(inputs) },
      },
      { put: "task", row: task },
      taskQueued(task),
    ];
    await write(changes);
    return [
      { kind: "offer", engine: task.engine, pool: task.pool },
      { kind: "notify", run: run.id },
    ];
  });
}

/**
 * What was to be made anew must not be made anew twice: not by the plan that verifies, and not after an attempt of
 * unknown outcome that wrote state. What such an attempt left undone needs another `--replace`.
 */
async function resourcesToReplace(
  context: OrchestratorContext,
  tenant: string,
  run: RunRow,
  unit: ChangeSetUnit,
  kind: TaskKind,
): Promise<string[]> {
  if (kind === "verify") return [];
  if (kind !== "inspect" || unit.replace.length === 0) return unit.replace;
  const { states } = await context.state.listStates(
    { environment: run.environment },
    as(serviceCaller(tenant, "orchestrator")),
  );
  const serial = Number(states.find((state) => state.unit === unit.address)?.serial ?? 0);
  return serial === unit.prior.serial ? unit.replace : [];
}
