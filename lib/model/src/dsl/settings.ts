import { z } from "zod";
import { durationSchema, durationSeconds } from "../duration.ts";
import {
  backupSchema,
  concurrencySchema,
  driftPolicySchema,
  gateKindSchema,
  groupNameSchema,
  observeSettingSchema,
  reconcileStrategySchema,
} from "../route-settings.ts";
import { blackoutSchema, windowSchema } from "../window.ts";

/** `approval: environment`, or with who is asked: `approval: {kind: environment, groups: [dba], quorum: 2}`. */
export const approvalPolicySchema = z.union([
  gateKindSchema,
  z.strictObject({
    kind: gateKindSchema.optional(),
    groups: z.array(groupNameSchema).max(100).optional(),
    quorum: z.number().int().min(1).max(100).optional(),
  }),
]);

export const reconcileSettingSchema = z.strictObject({
  strategy: reconcileStrategySchema.optional(),
  interval: durationSchema.optional(),
});

const strategyShorthand = z
  .string()
  .regex(/^(on_drift|periodic|continuous|on_change)(:[0-9wdhms]+)?$/, {
    error: "must be on_drift, periodic, continuous or on_change, with an interval if you like: periodic:15m",
    abort: true,
  })
  .refine((text) => !text.includes(":") || (durationSeconds(text.replace(/^.*:/, "")) ?? 0) > 0, {
    error: "must have an interval such as 90s, 15m or 6h",
  });

/** What every layer from `.xcf.yaml` to the module may decide, in the words of the design's routing fields. */
export const settingFields = {
  reconcile: reconcileSettingSchema.optional(),
  reconcileStrategy: strategyShorthand.optional(),
  driftPolicy: driftPolicySchema.optional(),
  approvalPolicy: approvalPolicySchema.optional(),
  backupPolicy: backupSchema.optional(),
  windows: z.array(windowSchema).min(1).max(100).optional(),
  blackouts: z.array(blackoutSchema).max(400).optional(),
  concurrency: concurrencySchema.optional(),
  observe: observeSettingSchema.optional(),
  ttl: durationSchema.optional(),
};

export const settingsSchema = z.strictObject(settingFields);
export type Settings = z.infer<typeof settingsSchema>;
export type SettingName = keyof Settings;
export const SETTING_NAMES = Object.keys(settingFields) as readonly SettingName[];
