import type { Change, Decision } from "./decision.ts";
import { draftEvent } from "./orchestrator-events.ts";
import type { RunRow, StepEdgeRow, StepRow } from "./rows.ts";

/** A run with one of its steps, and the steps that wait for it directly. */
export interface StepView {
  readonly run: RunRow;
  readonly step: StepRow;
  readonly after: readonly StepRow[];
}

/** The step is done: those that waited only for it become ready. */
export function succeedStep({ run, step, after }: StepView, now: string, patch: Partial<StepRow> = {}): Decision {
  const changes: Change[] = [
    { put: "step", row: { ...step, ...patch, status: "succeeded", endedAt: now } },
    { put: "run", row: { ...run, unfinished: run.unfinished - 1 } },
    draftEvent("step", "succeeded", step.unit, `run:${run.id}`, { run: run.id, stage: step.stage }),
  ];
  const units = [step.unit];
  let enabled = run.unfinished === 1;
  for (const next of after) {
    if (next.status !== "pending") continue;
    const waitingOn = next.waitingOn - 1;
    units.push(next.unit);
    enabled ||= waitingOn === 0;
    changes.push({ put: "step", row: { ...next, waitingOn, status: waitingOn === 0 ? "ready" : "pending" } });
  }
  return {
    changes,
    commands: [
      // Steps that were ready before are on their way: the driver has nothing to do for them.
      ...(enabled ? [{ kind: "drive", run: run.id } as const] : []),
      { kind: "notify", run: run.id, units },
    ],
  };
}

/** The step ends without success: everything that needs it, directly or not, is skipped; independent steps go on. */
export function endStep(
  run: RunRow,
  step: StepRow,
  status: "failed" | "canceled",
  reason: string,
  all: readonly StepRow[],
  edges: readonly StepEdgeRow[],
  now: string,
  patch: Partial<StepRow> = {},
): Decision {
  const skipped = stepsBehind(step.unit, all, edges).filter(
    (behind) => behind.status === "pending" || behind.status === "ready",
  );
  return {
    changes: [
      { put: "step", row: { ...step, ...patch, status, reason, endedAt: now } },
      ...skipped.map(
        (behind): Change => ({
          put: "step",
          row: {
            ...behind,
            status: "skipped",
            reason: `${step.unit} ${status === "failed" ? "failed" : "was canceled"}`,
            endedAt: now,
          },
        }),
      ),
      { put: "run", row: { ...run, unfinished: run.unfinished - 1 - skipped.length } },
      draftEvent("step", status, step.unit, `run:${run.id}`, { run: run.id, stage: step.stage, reason }),
    ],
    commands: [
      { kind: "drive", run: run.id },
      { kind: "notify", run: run.id },
    ],
  };
}

function stepsBehind(unit: string, all: readonly StepRow[], edges: readonly StepEdgeRow[]): StepRow[] {
  const next = new Map<string, string[]>();
  for (const { from, to } of edges) next.set(from, [...(next.get(from) ?? []), to]);
  const found = new Set<string>();
  const queue = [...(next.get(unit) ?? [])];
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    if (found.has(name)) continue;
    found.add(name);
    queue.push(...(next.get(name) ?? []));
  }
  return all.filter((step) => found.has(step.unit));
}
