import type { Caller } from "@xcloudflow/chassis/caller";
import { CodedError } from "@xcloudflow/model/coded-error";
import type { Change } from "./decision.ts";
import type { OrchestratorContext } from "./orchestrator-context.ts";
import { draftEvent } from "./orchestrator-events.ts";
import { performCommands } from "./perform-commands.ts";
import type { RunRow, StepRow } from "./rows.ts";
import { RunNotFoundError } from "./watch-run.ts";

/** Thrown when a run cannot be taken up again: it is going on, it succeeded, or something newer took its place. */
export class RunNotRetryableError extends CodedError {
  constructor(id: string, what: string) {
    super("RUN_NOT_RETRYABLE", "conflict", { where: id, what, hint: "`xcf plan` makes a new ChangeSet" });
  }
}

/**
 * Takes a failed or canceled apply run up again under the same approval: what succeeded stays, what was tried is
 * inspected before anything else happens to it, what was never begun starts as planned.
 *
 * @throws {RunNotRetryableError} when there is nothing to take up.
 */
export async function retryRun(
  context: OrchestratorContext,
  tenant: string,
  caller: Caller,
  id: string,
): Promise<RunRow> {
  const run = await context.store.transact(tenant, "retry-run", async (tx) => {
    const current = await tx.lockRun(id);
    if (current === undefined) throw new RunNotFoundError(id);
    const changeSet = await tx.changeSet(current.changeSet ?? "");
    if (current.kind !== "apply")
      throw new RunNotRetryableError(id, `a ${current.kind} run changes nothing and is simply made again`);
    if (current.phase !== "done" || current.status === "succeeded")
      throw new RunNotRetryableError(id, `it is ${current.status}`);
    if (changeSet?.phase !== "running")
      throw new RunNotRetryableError(id, `its ChangeSet is ${changeSet?.phase ?? "gone"}`);
    const steps = await tx.steps(id);
    const edges = await tx.edges(id);
    const done = new Set(steps.filter((step) => step.status === "succeeded").map((step) => step.unit));
    const reset = steps
      .filter((step) => !done.has(step.unit))
      .map((step) => resetStep(step, edges.filter((edge) => edge.to === step.unit && !done.has(edge.from)).length));
    const row: RunRow = {
      ...current,
      phase: "checking",
      status: "running",
      endedAt: null,
      failure: null,
      unfinished: reset.length,
    };
    const changes: Change[] = [
      { put: "run", row },
      ...reset.map((step): Change => ({ put: "step", row: step })),
      draftEvent("run", "retried", id, caller.subject, { steps: reset.length }),
    ];
    await tx.write(changes);
    return row;
  });
  performCommands(context, tenant, [{ kind: "drive", run: id }]);
  return run;
}

function resetStep(step: StepRow, waitingOn: number): StepRow {
  const stage = step.attempts > 0 ? "inspect" : step.stage === "review" ? "replan" : step.stage;
  return {
    ...step,
    status: waitingOn === 0 ? "ready" : "pending",
    stage,
    waitingOn,
    reason: null,
    result: null,
    successor: null,
    endedAt: null,
  };
}
