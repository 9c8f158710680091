import type { Run } from "@xcloudflow/proto/orchestrator/v1/orchestrator_pb";

/** A run as `-o json` prints it. */
export function showRun(run: Run): object {
  const { id, kind, status, environment, changeSet, actor, createdAt, endedAt, waitingFor, waitingKind, failure } = run;
  return {
    id,
    kind,
    status,
    environment,
    actor,
    createdAt,
    ...present({ changeSet, endedAt, waitingFor, waitingKind }),
    ...(failure === undefined
      ? {}
      : {
          failure: {
            code: failure.code,
            what: failure.what,
            ...present({ where: failure.where, hint: failure.hint, category: failure.category }),
          },
        }),
    steps: run.steps.map((step) => ({
      unit: step.unit,
      status: step.status,
      stage: step.stage,
      attempts: step.attempts,
      outcomeWasUnknown: step.outcomeWasUnknown,
      ...present({ startedAt: step.startedAt, endedAt: step.endedAt, reason: step.reason }),
    })),
  };
}

function present(fields: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== ""));
}

/** One line a run. */
export function runLine(run: Run): string {
  const waits = run.waitingFor === "" ? "" : `  ${run.waitingFor}`;
  return `${run.id}  ${run.kind.padEnd(5)}  ${run.status.padEnd(9)}  ${run.environment}  ${run.createdAt}  ${run.actor}${waits}`;
}
