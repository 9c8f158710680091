import type { ChangeSet } from "@xcloudflow/model/change-set";
import type { Change, Command } from "./decision.ts";
import type { OrchestratorContext } from "./orchestrator-context.ts";
import { draftEvent } from "./orchestrator-events.ts";
import { failureOfStep } from "./plan-driver.ts";
import type { ChangeSetRow, LockRow, RunRow, StepSummary } from "./rows.ts";
import { endRun, outcomeOf } from "./run-decision.ts";
import { transact } from "./run-transaction.ts";

/**
 * The run's steps have ended. Success closes the ChangeSet and makes its commit the one whose rules judge the next change.
 * After a failed Foundation change the tier lock stays: downstream automation is held back until the change is retried,
 * replaced by another Foundation change, or a person unlocks.
 */
export async function closeChangeSet(
  context: OrchestratorContext,
  tenant: string,
  run: RunRow,
  changeSet: ChangeSet,
): Promise<boolean> {
  return transact(context, tenant, "close-change-set", run, async (current, write, tx) => {
    const now = context.clock.now().toISOString();
    const steps = await tx.stepSummaries(run.id);
    const outcome = outcomeOf(current, steps);
    const held = (await tx.locks()).filter((lock) => lock.run === run.id);
    const kept = held.filter((lock) => keepsLock(lock, outcome, steps));
    const released = held.filter((lock) => !kept.includes(lock));
    const failed = steps.find((step) => step.status === "failed");
    const decision = endRun(
      current,
      outcome,
      released,
      now,
      failed === undefined ? {} : { failure: failureOfStep(failed) },
    );
    const row = await tx.changeSet(changeSet.id);
    const whole = changeSet.units.every((unit) =>
      steps.some((step) => step.unit === unit.address && step.status === "succeeded"),
    );
    const closed: Change[] =
      row === undefined
        ? []
        : [
            {
              put: "changeSet",
              row:
                outcome === "succeeded" && whole
                  ? { ...row, phase: "closed", reason: null }
                  : { ...row, reason: `${run.id} ${outcome}` },
            },
          ];
    const successors: ChangeSetRow[] = [];
    for (const { id } of await tx.changeSets({ environment: changeSet.environment, parent: run.id, limit: 1000 })) {
      const other = await tx.changeSet(id);
      if (other?.phase === "running" || other?.phase === "open" || other?.phase === "approved") successors.push(other);
    }
    await write([
      ...closed,
      ...successors.map(
        (other): Change => ({
          put: "changeSet",
          row: { ...other, phase: other.phase === "running" ? "closed" : "stale" },
        }),
      ),
      ...(outcome === "succeeded" && whole && !changeSet.dirty && changeSet.origin.kind === "manual"
        ? advanceGovernance(run, changeSet, now)
        : []),
      ...decision.changes,
      ...kept.map((lock) =>
        draftEvent("lock", "kept", lock.name, `run:${run.id}`, {
          kind: lock.kind,
          why: "the Foundation change was not verified",
        }),
      ),
    ]);
    // Whoever waited for one of these locks looks again.
    const waiting = (await tx.runs({ active: true, limit: 1000 })).filter((other) => other.waitingKind === "lock");
    return [...decision.commands, ...waiting.map((other): Command => ({ kind: "drive", run: other.id }))];
  });
}

function keepsLock(lock: LockRow, outcome: string, steps: readonly StepSummary[]): boolean {
  if (lock.kind !== "tier" || lock.mode !== "exclusive" || outcome === "succeeded") return false;
  return steps.some((step) => step.lifecycle === "Foundation" && step.status !== "succeeded" && step.attempts > 0);
}

function advanceGovernance(run: RunRow, changeSet: ChangeSet, now: string): Change[] {
  return [
    {
      put: "governance",
      row: { repository: run.repository, environment: changeSet.environment, commit: changeSet.commit, changedAt: now },
    },
    draftEvent("governance", "advanced", run.repository, `run:${run.id}`, {
      environment: changeSet.environment,
      commit: changeSet.commit,
      digest: changeSet.governance.proposedDigest,
    }),
  ];
}
