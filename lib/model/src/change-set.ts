import { z } from "zod";
import { addressSchema } from "./address.ts";
import { edgeSchema, governanceSchema } from "./compilation.ts";
import { inputsSchema } from "./input-value.ts";
import { jsonObjectSchema } from "./json-value.ts";
import { changeFrequencySchema, lifecycleSchema } from "./lifecycle.ts";
import { routeSchema } from "./route.ts";
import { moduleSourceSchema } from "./task-spec.ts";
import { costSchema, unitPlanSchema } from "./unit-plan.ts";

/** A policy's statement about a unit or the whole ChangeSet. */
export const findingSchema = z.strictObject({
  unit: addressSchema.optional(),
  namespace: z.string(),
  rule: z.string(),
  message: z.string(),
  metadata: jsonObjectSchema,
  revision: z.string(),
});
export type Finding = z.infer<typeof findingSchema>;

export const policyVerdictSchema = z.strictObject({
  verdict: z.enum(["allow", "deny"]),
  denials: z.array(findingSchema),
  warnings: z.array(findingSchema),
  revision: z.string(),
});
export type PolicyVerdict = z.infer<typeof policyVerdictSchema>;

/** Something that must happen before units may be applied. `approval` needs people, `window` needs the clock. */
export const gateSchema = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("approval"),
    units: z.array(addressSchema),
    groups: z.array(z.string()),
    quorum: z.number().int().positive(),
    /** Why people are asked: the matrix, a policy, changed governance, a deferred plan … */
    reasons: z.array(z.string()),
    selfApproval: z.boolean(),
  }),
  z.strictObject({ kind: z.literal("window"), units: z.array(addressSchema), window: z.string() }),
]);
export type Gate = z.infer<typeof gateSchema>;

/** A unit inside a ChangeSet: its plan and everything that decided it. */
export const changeSetUnitSchema = unitPlanSchema.omit({ prior: true }).extend({
  lifecycle: lifecycleSchema,
  changeFrequency: changeFrequencySchema,
  route: routeSchema,
  module: moduleSourceSchema,
  inputs: inputsSchema,
  engineConfig: jsonObjectSchema,
  credentials: z.strictObject({ plan: z.record(z.string(), z.string()), apply: z.record(z.string(), z.string()) }),
  ignoreDrift: z.array(z.string()),
  /** The runner pool that does the work, and whose the unit is; absent where nobody says. */
  pool: z.string().optional(),
  owner: z.string().optional(),
  replace: z.array(z.string()),
  contentHash: z.string(),
  reason: z.string(),
  movedFrom: addressSchema.optional(),
  prior: z.strictObject({
    serial: z.number().int().nonnegative(),
    lineage: z.string(),
    snapshot: z.string().nullable(),
  }),
});
export type ChangeSetUnit = z.infer<typeof changeSetUnitSchema>;

/** The immutable ChangeSet as it is stored. Its digest is over `digestOf` of everything but `id`, `digest`, `createdAt`. */
export const changeSetSchema = z.strictObject({
  id: z.string(),
  digest: z.string(),
  tenant: z.string(),
  repository: z.string(),
  environment: z.string(),
  origin: z.strictObject({
    kind: z.enum(["manual", "pullRequest", "drift", "rollback", "schedule"]),
    ref: z.string().optional(),
  }),
  commit: z.string(),
  baseCommit: z.string(),
  /** A ChangeSet planned from the work tree is for looking only. */
  dirty: z.boolean(),
  author: z.string(),
  authors: z.array(z.string()),
  createdAt: z.string(),
  expiresAt: z.string(),
  units: z.array(changeSetUnitSchema),
  edges: z.array(edgeSchema),
  gates: z.array(gateSchema),
  policy: policyVerdictSchema,
  governance: governanceSchema,
  cost: costSchema,
});
export type ChangeSet = z.infer<typeof changeSetSchema>;

/** The orchestrator's word on a ChangeSet; it is joined on output and never stored in it. */
export const phaseSchema = z.enum([
  "open",
  "denied",
  "approved",
  "rejected",
  "superseded",
  "stale",
  "running",
  "closed",
]);
export type Phase = z.infer<typeof phaseSchema>;
