import { PhaseRefusedError } from "./approval-decision.ts";
import type { Change } from "./decision.ts";
import type { OrchestratorContext } from "./orchestrator-context.ts";
import { refuseStep } from "./plan-driver.ts";
import type { RunRow, StepRow } from "./rows.ts";
import { waitRun } from "./run-decision.ts";
import { stepAsRead, transact } from "./run-transaction.ts";

/**
 * A step whose real plan waits for approval: it goes on when people have approved, fails when they have not. When nothing
 * else of the run is moving, the run gives its tier lock back and keeps its unit locks.
 */
export async function waitForPeople(
  context: OrchestratorContext,
  tenant: string,
  run: RunRow,
  step: StepRow,
): Promise<boolean> {
  const successor = await context.store.transact(tenant, "read-successor", (tx) =>
    tx.peekChangeSet(step.successor ?? ""),
  );
  if (successor === undefined) return false;
  if (successor.phase === "approved") {
    return transact(context, tenant, "accept-approved-plan", run, async (current, write, tx) => {
      const fresh = await stepAsRead(tx, step);
      const latest = await tx.changeSet(successor.id);
      if (fresh === undefined || current.status === "canceling" || latest?.phase !== "approved") return [];
      await write([
        { put: "step", row: { ...fresh, status: "ready", stage: "apply", reason: null } },
        { put: "changeSet", row: { ...latest, phase: "running", applyRun: run.id } },
        { put: "run", row: { ...current, status: "running", waitingKind: null, waitingFor: null } },
      ]);
      return [{ kind: "drive", run: run.id }];
    });
  }
  if (successor.phase !== "open") {
    await refuseStep(
      context,
      tenant,
      run,
      step,
      new PhaseRefusedError(successor.id, successor.phase, successor.reason),
    );
    return true;
  }
  await transact(context, tenant, "wait-for-people", run, async (current, write, tx) => {
    const steps = await tx.stepSummaries(run.id);
    if (current.status === "canceling") return [{ kind: "drive", run: run.id }];
    if (steps.some((other) => other.status === "running" || other.status === "ready" || other.status === "recording"))
      return [];
    const tierLocks = (await tx.locks()).filter((lock) => lock.run === run.id && lock.kind === "tier");
    const decision = waitRun(current, "approval", step.reason ?? `waits for ${successor.id}`);
    await write([...decision.changes, ...tierLocks.map((row): Change => ({ drop: "lock", row }))]);
    return decision.commands;
  });
  return false;
}
