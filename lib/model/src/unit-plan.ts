import { z } from "zod";
import { addressSchema } from "./address.ts";
import { jsonValueSchema } from "./json-value.ts";

/** What an engine would do to one resource. A replacement keeps the order in which the engine would do it. */
export const changeActionsSchema = z.union([
  z.tuple([z.literal("no-op")]),
  z.tuple([z.literal("read")]),
  z.tuple([z.literal("create")]),
  z.tuple([z.literal("update")]),
  z.tuple([z.literal("delete")]),
  z.tuple([z.literal("forget")]),
  z.tuple([z.literal("delete"), z.literal("create")]),
  z.tuple([z.literal("create"), z.literal("delete")]),
]);
export type ChangeActions = z.infer<typeof changeActionsSchema>;

/**
 * One resource's change, the same shape for every engine (that of Terraform's JSON plan, format 1.x).
 * `unknown` and `sensitive` mirror `after`: `true` where a value is unknown or sensitive, absent elsewhere.
 * Sensitive values are already replaced by `{"$redacted": "<hmac>"}` in `before` and `after`: an HMAC under the
 * tenant's key, so that a change of a secret is visible without the secret.
 */
export const resourceChangeSchema = z.strictObject({
  address: z.string(),
  type: z.string(),
  provider: z.string().optional(),
  actions: changeActionsSchema,
  before: jsonValueSchema,
  after: jsonValueSchema,
  unknown: jsonValueSchema,
  sensitive: jsonValueSchema,
  replacePaths: z.array(z.array(z.union([z.string(), z.number()]))),
  /** The address this resource had before, when the engine moves it. */
  previousAddress: z.string().optional(),
});
export type ResourceChange = z.infer<typeof resourceChangeSchema>;

/** An output as planned or applied: known with a value, or unknown, or sensitive and only identified by its HMAC. */
export const unitOutputSchema = z.union([
  z.strictObject({ unknown: z.literal(true), sensitive: z.boolean(), type: jsonValueSchema.optional() }),
  z.strictObject({
    unknown: z.literal(false),
    sensitive: z.literal(false),
    value: jsonValueSchema,
    type: jsonValueSchema.optional(),
  }),
  z.strictObject({
    unknown: z.literal(false),
    sensitive: z.literal(true),
    hmac: z.string(),
    type: jsonValueSchema.optional(),
  }),
]);
export type UnitOutput = z.infer<typeof unitOutputSchema>;

export const changeSummarySchema = z.strictObject({
  create: z.number().int().nonnegative(),
  update: z.number().int().nonnegative(),
  replace: z.number().int().nonnegative(),
  delete: z.number().int().nonnegative(),
  noop: z.number().int().nonnegative(),
});
export type ChangeSummary = z.infer<typeof changeSummarySchema>;

export const costSchema = z.strictObject({ monthlyDelta: z.string(), currency: z.string() });
export type Cost = z.infer<typeof costSchema>;

/** An estimate for one unit; `monthlyTotal` is what it costs after the change, where the estimator knows. */
export const unitCostSchema = costSchema.extend({ monthlyTotal: z.string().optional() });
export type UnitCost = z.infer<typeof unitCostSchema>;

/** planned: may be applied as it is · provisional, deferred: must be planned again with real inputs · failed: see `failure`. */
export const planStatusSchema = z.enum(["planned", "provisional", "deferred", "unchanged", "failed"]);
export type PlanStatus = z.infer<typeof planStatusSchema>;

export const unitFailureSchema = z.strictObject({
  code: z.string(),
  message: z.string(),
  where: z.string().optional(),
  hint: z.string().optional(),
});
export type UnitFailure = z.infer<typeof unitFailureSchema>;

/** What an engine says it would do for one unit: the result of `Engine.plan`. */
export const unitPlanSchema = z.strictObject({
  address: addressSchema,
  status: planStatusSchema,
  engine: z.string(),
  engineVersion: z.string(),
  destroy: z.boolean(),
  summary: changeSummarySchema,
  changes: z.array(resourceChangeSchema),
  /** Changes made outside since the last apply, found while refreshing. */
  drift: z.array(resourceChangeSchema),
  outputs: z.record(z.string(), unitOutputSchema),
  /** The engine's saved plan in the state service (`artefact id`), absent unless `planned`. */
  artefact: z.string().optional(),
  /** SHA-256 of the saved plan before encryption. */
  artefactDigest: z.string().optional(),
  /** Digests of provider and module locks that the plan was made under. */
  locks: z.record(z.string(), z.string()),
  /** Serial and lineage of the engine's state that was planned against. */
  prior: z.strictObject({ serial: z.number().int().nonnegative(), lineage: z.string() }),
  /** What a reader must know: best-effort fencing, values frozen at plan time, ignored backends … */
  hazards: z.array(z.string()),
  cost: unitCostSchema.optional(),
  failure: unitFailureSchema.optional(),
});
export type UnitPlan = z.infer<typeof unitPlanSchema>;

/** Counts by what happens to a resource; reads and forgets count as no change of infrastructure. */
export function summarizeChanges(changes: readonly ResourceChange[]): ChangeSummary {
  const summary = { create: 0, update: 0, replace: 0, delete: 0, noop: 0 };
  for (const { actions } of changes) summary[summaryKey(actions)] += 1;
  return summary;
}

function summaryKey(actions: ChangeActions): keyof ChangeSummary {
  if (actions.length === 2) return "replace";
  const [action] = actions;
  return action === "create" || action === "update" || action === "delete" ? action : "noop";
}
