import { z } from "zod";
import { durationSchema } from "../duration.ts";
import { changeFrequencySchema, lifecycleNameSchema } from "../lifecycle.ts";
import { concurrencySchema, engineNameSchema } from "../route-settings.ts";
import { settingFields } from "./settings.ts";

const cellSchema = z.strictObject({ interval: durationSchema.optional(), concurrency: concurrencySchema.optional() });

/** Another row for one class: its settings, its preferred engines, and what each frequency moves. */
export const matrixRowOverrideSchema = z.strictObject({
  ...settingFields,
  engines: z.array(engineNameSchema).min(1).max(20).optional(),
  frequencies: z.partialRecord(changeFrequencySchema, cellSchema).optional(),
});
export type MatrixRowOverride = z.infer<typeof matrixRowOverrideSchema>;

export const matrixOverridesSchema = z.partialRecord(lifecycleNameSchema, matrixRowOverrideSchema);
export type MatrixOverrides = z.infer<typeof matrixOverridesSchema>;
