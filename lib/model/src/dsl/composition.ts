import { z } from "zod";
import { nameSchema } from "../address.ts";
import { changeFrequencySchema, lifecycleNameSchema } from "../lifecycle.ts";
import { backupSchema, checkSchema, driftPolicySchema, engineNameSchema } from "../route-settings.ts";
import {
  anyMapSchema,
  anyValueSchema,
  engineConfigSchema,
  identifierSchema,
  ownerSchema,
  poolSchema,
  referenceSchema,
} from "./field.ts";
import { apiVersionSchema, labelsSchema, metadataSchema } from "./metadata.ts";
import { approvalPolicySchema, reconcileSettingSchema, settingFields } from "./settings.ts";

export const parameterTypeSchema = z.enum(["string", "number", "boolean", "list", "map"]);
export type ParameterType = z.infer<typeof parameterTypeSchema>;

/** A value that an environment gives; one without default must be given. */
export const parameterSchema = z.strictObject({
  type: parameterTypeSchema.default("string"),
  default: anyValueSchema.optional(),
  allowed: z.array(anyValueSchema).min(1).max(1_000).optional(),
  description: z.string().max(10_000).optional(),
});
export type Parameter = z.infer<typeof parameterSchema>;

/** The design's per-module overrides: `policies: {approval: environment, backup: pre-change}`. */
export const modulePoliciesSchema = z.strictObject({
  approval: approvalPolicySchema.optional(),
  backup: backupSchema.optional(),
  drift: driftPolicySchema.optional(),
  reconcile: reconcileSettingSchema.optional(),
});

/** Machines of a playbook module, by name or pattern of the environment's `hosts`. */
const hostSelection = z.array(z.string().min(1).max(253)).min(1).max(10_000);

const workloadFields = {
  engineConfig: engineConfigSchema.optional(),
  pool: poolSchema.optional(),
  owner: ownerSchema.optional(),
  hosts: hostSelection.optional(),
  labels: labelsSchema.optional(),
  checks: z.array(checkSchema).max(100).optional(),
  ignoreDrift: z.array(z.string().min(1).max(1_000)).max(1_000).optional(),
};

export const moduleSchema = z.strictObject({
  name: nameSchema.optional(),
  ref: referenceSchema,
  engine: engineNameSchema.optional(),
  inputs: anyMapSchema.optional(),
  policies: modulePoliciesSchema.optional(),
  ...settingFields,
  ...workloadFields,
});
export type Module = z.infer<typeof moduleSchema>;

/** `[<composition>[@<region>]/]<module>` on both sides; without the composition, this one. */
export const moveSchema = z.strictObject({ from: referenceSchema, to: referenceSchema });
export type Move = z.infer<typeof moveSchema>;

export const compositionSpecSchema = z.strictObject({
  lifecycle: lifecycleNameSchema,
  changeFrequency: changeFrequencySchema.optional(),
  parameters: z.record(identifierSchema, parameterSchema).optional(),
  modules: z.array(moduleSchema).min(1).max(1_000),
  dependencies: z
    .array(z.strictObject({ ref: referenceSchema }))
    .max(1_000)
    .optional(),
  engine: engineNameSchema.optional(),
  moved: z.array(moveSchema).max(1_000).optional(),
  ...settingFields,
  ...workloadFields,
});

export const compositionSchema = z.strictObject({
  apiVersion: apiVersionSchema,
  kind: z.literal("Composition"),
  metadata: metadataSchema,
  spec: compositionSpecSchema,
});
export type Composition = z.infer<typeof compositionSchema>;
