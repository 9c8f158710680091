import type { Run } from "@xcloudflow/proto/orchestrator/v1/orchestrator_pb";
import { z } from "zod";

const runStatusSchema = z.enum(["running", "waiting", "canceling", "succeeded", "failed", "canceled"]);

/** One unit's way through a run. */
const stepSchema = z.strictObject({
  unit: z.string(),
  status: z.enum(["pending", "blocked", "running", "waiting", "succeeded", "failed", "skipped", "canceled"]),
  stage: z.enum(["plan", "replan", "apply", "verify", "inspect", "record"]),
  attempts: z.number().int().nonnegative(),
  /** An attempt ended without a word; what it left was looked at before anything else was done. */
  outcomeWasUnknown: z.boolean(),
  startedAt: z.string().optional(),
  endedAt: z.string().optional(),
  reason: z.string().optional(),
});

export const runOutputSchema = z.strictObject({
  id: z.string(),
  kind: z.enum(["plan", "apply", "drift"]),
  status: runStatusSchema,
  environment: z.string(),
  /** Who asked for it. */
  actor: z.string(),
  createdAt: z.string(),
  endedAt: z.string().optional(),
  changeSet: z.string().optional(),
  waitingFor: z.string().optional(),
  waitingKind: z.enum(["approval", "window", "lock", "merge"]).optional(),
  failure: z
    .strictObject({
      code: z.string(),
      what: z.string(),
      where: z.string().optional(),
      hint: z.string().optional(),
      category: z.string().optional(),
    })
    .optional(),
  /** Empty in a list of runs. */
  steps: z.array(stepSchema),
});

export const runsOutputSchema = z.strictObject({ runs: z.array(runOutputSchema) });

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
