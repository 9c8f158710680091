import { z } from "zod";
import { resourceChangeSchema, unitFailureSchema, unitOutputSchema, unitPlanSchema } from "./unit-plan.ts";

const outputsSchema = z.record(z.string(), unitOutputSchema);

/** What a runner reports when an attempt ends. `kind` repeats the task's. */
export const taskResultSchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("planned"), plan: unitPlanSchema }),
  z.strictObject({
    kind: z.literal("applied"),
    outputs: outputsSchema,
    serial: z.number().int().nonnegative(),
    lineage: z.string(),
  }),
  z.strictObject({
    kind: z.literal("verified"),
    converged: z.boolean(),
    changes: z.array(resourceChangeSchema),
    outputs: outputsSchema,
  }),
  /** After an attempt whose outcome is unknown: what a fresh plan finds, and the outputs that are there now. */
  z.strictObject({ kind: z.literal("inspected"), plan: unitPlanSchema, recoveredState: z.boolean() }),
  z.strictObject({ kind: z.literal("drifted"), changes: z.array(resourceChangeSchema) }),
  z.strictObject({ kind: z.literal("snapshotted"), snapshotId: z.string() }),
  z.strictObject({ kind: z.literal("restored"), snapshotId: z.string() }),
  /** `effects`: "none" when the engine changed nothing for certain, so that a retry is safe; "possible" otherwise. */
  z.strictObject({
    kind: z.literal("failed"),
    failure: unitFailureSchema,
    effects: z.enum(["none", "possible"]),
    retryable: z.boolean(),
  }),
  z.strictObject({ kind: z.literal("canceled"), effects: z.enum(["none", "possible"]) }),
  /** The worker ends before the attempt did and hands the task back: nobody asked for it to be given up. */
  z.strictObject({ kind: z.literal("released"), effects: z.enum(["none", "possible"]) }),
]);
export type TaskResult = z.infer<typeof taskResultSchema>;
