import type { Change, Decision } from "./decision.ts";
import { draftEvent } from "./orchestrator-events.ts";
import type { ChangeSetRow, LockRow, RunRow, RunStatus, StepRow, StepSummary, TaskRow, WaitingKind } from "./rows.ts";
import type { RunFailure } from "./run-request.ts";

/** The run ends; its locks go, and whoever waits for one of them is told by the `drive` commands of the caller. */
export function endRun(
  run: RunRow,
  status: Extract<RunStatus, "succeeded" | "failed" | "canceled">,
  locks: readonly LockRow[],
  now: string,
  patch: Partial<RunRow> = {},
): Decision {
  return {
    changes: [
      {
        put: "run",
        row: { ...run, ...patch, phase: "done", status, endedAt: now, waitingKind: null, waitingFor: null },
      },
      ...locks.map((row): Change => ({ drop: "lock", row })),
      ...locks.map((row) => draftEvent("lock", "released", row.name, `run:${run.id}`, { kind: row.kind, run: run.id })),
      draftEvent("run", status, run.id, "orchestrator", {
        kind: run.kind,
        environment: run.environment,
        changeSet: patch.changeSet ?? run.changeSet,
      }),
    ],
    commands: [{ kind: "notify", run: run.id }],
  };
}

/** The run cannot go on. A ChangeSet that turned out stale takes that phase, so that nobody applies it again. */
export function failRun(
  run: RunRow,
  failure: RunFailure,
  locks: readonly LockRow[],
  changeSet: ChangeSetRow | undefined,
  now: string,
): Decision {
  const ended = endRun(run, "failed", locks, now, { failure: JSON.stringify(failure) });
  const mine = changeSet?.applyRun === run.id && !["rejected", "superseded", "closed"].includes(changeSet.phase);
  if (changeSet === undefined || !mine || failure.category !== "stale") return ended;
  return {
    ...ended,
    changes: [
      ...ended.changes,
      { put: "changeSet", row: { ...changeSet, phase: "stale", reason: failure.message } },
      draftEvent("change-set", "staled", changeSet.id, "orchestrator", { reason: failure.message }),
    ],
  };
}

/** The run stops until somebody or something else moves; the words say what it waits for. */
export function waitRun(run: RunRow, kind: WaitingKind, reason: string): Decision {
  if (run.status === "waiting" && run.waitingKind === kind && run.waitingFor === reason)
    return { changes: [], commands: [] };
  return {
    changes: [
      { put: "run", row: { ...run, status: "waiting", waitingKind: kind, waitingFor: reason } },
      draftEvent("run", "waited", run.id, "orchestrator", { for: kind, reason }),
    ],
    commands: [{ kind: "notify", run: run.id }],
  };
}

/** Nothing new starts: what is queued or not begun is canceled now, what is out gets a signal with its next heartbeat. */
export function cancelRun(
  run: RunRow,
  steps: readonly StepRow[],
  openTasks: readonly TaskRow[],
  actor: string,
  reason: string,
  now: string,
): Decision {
  const leased = new Set(openTasks.filter((task) => task.status === "leased").map((task) => task.unit));
  const stopped = steps.filter((step) => !isEnded(step) && !leased.has(step.unit) && step.status !== "recording");
  return {
    changes: [
      {
        put: "run",
        row: {
          ...run,
          status: "canceling",
          waitingKind: null,
          waitingFor: null,
          unfinished: run.unfinished - stopped.length,
        },
      },
      ...openTasks.map(stopTask),
      ...stopped.map(
        (step): Change => ({
          put: "step",
          row: { ...step, status: "canceled", reason: `canceled by ${actor}`, endedAt: now },
        }),
      ),
      draftEvent("run", "cancel-requested", run.id, actor, { reason }),
    ],
    commands: [
      { kind: "drive", run: run.id },
      { kind: "notify", run: run.id },
    ],
  };
}

/** A task nobody has begun is canceled; whoever is at one is asked to stop. */
export function stopTask(task: TaskRow): Change {
  return {
    put: "task",
    row: task.status === "leased" ? { ...task, cancelRequested: true } : { ...task, status: "canceled" },
  };
}

export function isEnded(step: StepSummary): boolean {
  return (
    step.status === "succeeded" || step.status === "failed" || step.status === "skipped" || step.status === "canceled"
  );
}

/** How a run whose steps have all ended ends itself. */
export function outcomeOf(
  run: RunRow,
  steps: readonly StepSummary[],
): Extract<RunStatus, "succeeded" | "failed" | "canceled"> {
  if (steps.some((step) => step.status === "failed")) return "failed";
  if (run.status === "canceling" || steps.some((step) => step.status === "canceled")) return "canceled";
  return "succeeded";
}
