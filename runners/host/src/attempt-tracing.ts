import { SpanKind, SpanStatusCode } from "@opentelemetry/api";
import { inSpan } from "@xcloudflow/chassis/tracing";
import type { TaskResult } from "@xcloudflow/model/task-result";
import type { TaskSpec } from "@xcloudflow/model/task-spec";
import type { Assignment } from "@xcloudflow/proto/runner/v1/runner_pb";

/** One span an attempt, which says how it ended. */
export async function traceAttempt(
  { task, run, unit, attempt }: Assignment,
  { kind, engine, tenant }: TaskSpec,
  work: () => Promise<TaskResult>,
): Promise<void> {
  const attributes = {
    "xcf.task": task,
    "xcf.run": run,
    "xcf.unit": unit,
    "xcf.attempt": Number(attempt),
    "xcf.engine": engine,
    "xcf.tenant": tenant,
  };
  await inSpan(`attempt ${kind}`, { kind: SpanKind.CONSUMER, attributes }, async (span) => {
    const result = await work();
    span.setAttribute("xcf.result", result.kind);
    if (result.kind === "failed") span.setStatus({ code: SpanStatusCode.ERROR, message: result.failure.code });
  });
}
