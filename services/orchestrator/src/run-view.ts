import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { ErrorDetailSchema } from "@xcloudflow/proto/common/v1/common_pb";
import { type Run, RunSchema, type Step, StepSchema } from "@xcloudflow/proto/orchestrator/v1/orchestrator_pb";
import type { RunRow, StepSummary } from "./rows.ts";
import { actorSchema, runFailureSchema } from "./run-request.ts";

/** Rows as the API shows them. */
export function viewRun(run: RunRow, steps: readonly StepSummary[] = []): Run {
  return create(RunSchema, {
    id: run.id,
    kind: run.kind,
    status: run.status,
    environment: run.environment,
    repository: run.repository,
    changeSet: run.changeSet ?? "",
    actor: actorSchema.parse(JSON.parse(run.actor)).subject,
    createdAt: run.createdAt,
    endedAt: run.endedAt ?? "",
    waitingFor: run.waitingFor ?? "",
    waitingKind: run.waitingKind ?? "",
    steps: steps.map(viewStep),
    ...viewFailure(run.failure),
  });
}

function viewFailure(failure: string | null): Pick<MessageInitShape<typeof RunSchema>, "failure"> {
  if (failure === null) return {};
  const { code, message, where, hint, category } = runFailureSchema.parse(JSON.parse(failure));
  return {
    failure: create(ErrorDetailSchema, { code, what: message, where: where ?? "", hint: hint ?? "", category }),
  };
}

const SHOWN: Readonly<Record<StepSummary["status"], string>> = {
  pending: "pending",
  ready: "blocked",
  running: "running",
  recording: "running",
  waiting: "waiting",
  succeeded: "succeeded",
  failed: "failed",
  skipped: "skipped",
  canceled: "canceled",
};

export function viewStep(step: StepSummary): Step {
  return create(StepSchema, {
    unit: step.unit,
    status: SHOWN[step.status],
    stage: step.stage === "review" ? "replan" : step.stage,
    attempts: step.attempts,
    startedAt: step.startedAt ?? "",
    endedAt: step.endedAt ?? "",
    reason: describeReason(step.reason),
    outcomeWasUnknown: step.outcomeWasUnknown,
  });
}

/** A failure is kept as JSON; people read its sentence. */
export function describeReason(reason: string | null): string {
  if (reason === null || !reason.startsWith("{")) return reason ?? "";
  const failure = runFailureSchema.partial({ category: true }).safeParse(JSON.parse(reason));
  if (!failure.success) return reason;
  const { message, where, hint } = failure.data;
  return [where === undefined ? message : `${where}: ${message}`, hint].filter(Boolean).join(" — ");
}
