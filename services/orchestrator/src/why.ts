import type { AttemptRow, LockRow, RunRow, StepRow } from "./rows.ts";
import { describeReason } from "./run-view.ts";

export interface Reason {
  readonly at: string;
  readonly text: string;
  readonly run: string;
}

/**
 * Why a unit runs, waits or was refused, newest first.
 *
 * @param waiting runs that wait before they have steps of their own, for the unit's ChangeSet among others
 */
export function explainUnit(
  steps: readonly { readonly step: StepRow; readonly run: RunRow }[],
  attempts: readonly AttemptRow[],
  locks: readonly LockRow[],
  waiting: readonly RunRow[],
): Reason[] {
  const reasons: Reason[] = waiting.map((run) => ({
    at: run.createdAt,
    run: run.id,
    text: `${run.kind}: waits for ${run.waitingFor ?? "its turn"}`,
  }));
  for (const { step, run } of steps) {
    const at = step.endedAt ?? step.startedAt ?? run.createdAt;
    const why = describeReason(step.reason);
    const waits = run.status === "waiting" && run.waitingFor !== null ? ` (the run waits: ${run.waitingFor})` : "";
    const blocked =
      step.status === "pending"
        ? `, waits for ${step.waitingOn} unit${step.waitingOn === 1 ? "" : "s"} it depends on`
        : "";
    reasons.push({
      at,
      run: run.id,
      text: `${run.kind}: ${step.stage} is ${step.status}${blocked}${why === "" ? "" : `: ${why}`}${waits}`,
    });
  }
  for (const attempt of attempts) {
    const outcome =
      attempt.outcome === "running"
        ? "is running"
        : attempt.outcome === "unknown"
          ? "ended without a known outcome"
          : attempt.outcome;
    reasons.push({
      at: attempt.endedAt ?? attempt.claimedAt,
      run: attempt.run,
      text: `attempt ${attempt.attempt} on ${attempt.worker} ${outcome}${attempt.detail === null ? "" : `: ${attempt.detail}`}`,
    });
  }
  for (const lock of locks)
    reasons.push({
      at: lock.since,
      run: lock.run,
      text: `${lock.kind} lock ${lock.name} (${lock.mode}) is held by ${lock.run}: ${lock.reason}`,
    });
  return reasons.sort((a, b) => (a.at < b.at ? 1 : -1));
}
