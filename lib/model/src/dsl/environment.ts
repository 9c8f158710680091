import { z } from "zod";
import { nameSchema } from "../address.ts";
import { tierSchema } from "../lifecycle.ts";
import { groupNameSchema } from "../route-settings.ts";
import { budgetLimitFields } from "./budget.ts";
import { moveSchema } from "./composition.ts";
import {
  anyMapSchema,
  anyValueSchema,
  engineConfigSchema,
  identifierSchema,
  ownerSchema,
  poolSchema,
  referenceSchema,
} from "./field.ts";
import { matrixOverridesSchema } from "./matrix-overrides.ts";
import { apiVersionSchema, labelsSchema, metadataSchema } from "./metadata.ts";
import { settingFields } from "./settings.ts";

/** Who approves here. Declaring it, even empty, makes the `environment` gate ask in any tier. */
export const approvalsSchema = z.strictObject({
  groups: z.array(groupNameSchema).max(100).default([]),
  quorum: z.number().int().min(1).max(100).default(1),
  selfApproval: z.boolean().default(false),
});
export type Approvals = z.infer<typeof approvalsSchema>;

/** Roles of one cloud account: a name from `.xcf.yaml`'s credentials, or a role as the cloud spells it. */
export const environmentCredentialSchema = z.strictObject({
  planRole: z.string().min(1).max(2_000).optional(),
  applyRole: z.string().min(1).max(2_000).optional(),
});

export const assemblySchema = z.strictObject({
  ref: referenceSchema,
  regions: z.array(nameSchema).min(1).max(100).optional(),
  parameters: z.record(identifierSchema, anyValueSchema).optional(),
  ...settingFields,
});
export type Assembly = z.infer<typeof assemblySchema>;

/** A machine that playbooks reach. */
export const hostSchema = z.strictObject({
  address: z.string().min(1).max(253).optional(),
  port: z.number().int().min(1).max(65_535).optional(),
  user: z.string().min(1).max(64).optional(),
  labels: labelsSchema.optional(),
  variables: anyMapSchema.optional(),
});

const branchSchema = z
  .string()
  .min(1)
  .max(250)
  .regex(/^(?![-/.])(?!.*(?:\.\.|\/\/|@\{|\.lock$|[/.]$))[^\s~^:?*[\\\p{Cc}]+$/u, "must be a branch name");

export const environmentSpecSchema = z.strictObject({
  tier: tierSchema,
  ref: branchSchema.default("main"),
  applyWhen: z.enum(["after-merge", "before-merge"]).default("after-merge"),
  mode: z.enum(["manage", "observe"]).default("manage"),
  compositions: z.array(assemblySchema).max(100_000).default([]),
  variables: z.record(identifierSchema, anyValueSchema).optional(),
  credentials: z.record(nameSchema, environmentCredentialSchema).optional(),
  engineConfig: engineConfigSchema.optional(),
  approvals: approvalsSchema.optional(),
  budget: z.strictObject(budgetLimitFields).optional(),
  matrix: matrixOverridesSchema.optional(),
  hosts: z.record(z.string().min(1).max(253), hostSchema).optional(),
  owner: ownerSchema.optional(),
  pool: poolSchema.optional(),
  moved: z.array(moveSchema).max(1_000).optional(),
  ...settingFields,
});

export const environmentSchema = z.strictObject({
  apiVersion: apiVersionSchema,
  kind: z.literal("Environment"),
  metadata: metadataSchema,
  spec: environmentSpecSchema,
});
export type Environment = z.infer<typeof environmentSchema>;
