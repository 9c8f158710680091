import { callerSchema } from "@xcloudflow/chassis/caller";
import { unitFailureSchema } from "@xcloudflow/model/unit-plan";
import { z } from "zod";

/** What was asked for, kept with the run. */
export const runRequestSchema = z.strictObject({
  head: z.string(),
  base: z.string(),
  environment: z.string(),
  dirty: z.boolean(),
  only: z.array(z.string()),
  replace: z.array(z.string()),
  destroy: z.boolean(),
  /** Of an apply run: only these units of its ChangeSet; empty: all. */
  onlyUnits: z.array(z.string()),
  /** The trace of who asked: whatever is done for the run later, in whichever process, is a part of it. */
  traceparent: z.string().optional(),
});
export type RunRequest = z.infer<typeof runRequestSchema>;

export const actorSchema = callerSchema;

/** Why a run failed, with the category that decides the caller's exit code. */
export const runFailureSchema = unitFailureSchema.extend({ category: z.string() });
export type RunFailure = z.infer<typeof runFailureSchema>;
