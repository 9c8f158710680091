import type { Run } from "@xcloudflow/proto/orchestrator/v1/orchestrator_pb";

/** One line a run. */
export function runLine(run: Run): string {
  const waits = run.waitingFor === "" ? "" : `  ${run.waitingFor}`;
  return `${run.id}  ${run.kind.padEnd(5)}  ${run.status.padEnd(9)}  ${run.environment}  ${run.createdAt}  ${run.actor}${waits}`;
}
