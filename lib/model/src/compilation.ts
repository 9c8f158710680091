import { z } from "zod";
import { addressSchema } from "./address.ts";
import { identitiesSchema } from "./identities.ts";
import { inputsSchema } from "./input-value.ts";
import { jsonObjectSchema } from "./json-value.ts";
import { planConditionSchema } from "./plan-condition.ts";
import { routeSchema } from "./route.ts";
import { moduleSourceSchema } from "./task-spec.ts";

/** A dependency: `from` is applied before `to`. Destroy runs against the arrow. */
export const edgeSchema = z.strictObject({ from: addressSchema, to: addressSchema });
export type Edge = z.infer<typeof edgeSchema>;

/** One unit of an environment as a commit wants it (`apply`), or as it was applied and is wanted no more (`destroy`). */
export const compiledUnitSchema = z.strictObject({
  address: addressSchema,
  action: z.enum(["apply", "destroy"]),
  engine: z.string(),
  route: routeSchema,
  module: moduleSourceSchema,
  inputs: inputsSchema,
  engineConfig: jsonObjectSchema,
  credentials: z.strictObject({ plan: z.record(z.string(), z.string()), apply: z.record(z.string(), z.string()) }),
  ignoreDrift: z.array(z.string()),
  /** The runner pool that does the work, and whose the unit is; absent where nobody says. */
  pool: z.string().optional(),
  owner: z.string().optional(),
  /** `sha256:…` over module, inputs (references unresolved), engine and route: what selection compares. */
  contentHash: z.string(),
  /** In this ChangeSet, and why: the words `why` and `graph --affected` print. */
  selected: z.boolean(),
  reason: z.enum(["new", "changed", "dependency", "removed", "requested", "drift", "unchanged", "excluded"]),
  /** The address whose applied pointer and state this unit takes over (`moved`). */
  movedFrom: addressSchema.optional(),
  replace: z.array(z.string()),
});
export type CompiledUnit = z.infer<typeof compiledUnitSchema>;

/** What judges the change: taken from the governance commit, compared with the proposal's own. */
export const governanceSchema = z.strictObject({
  /** Head of the protected branch; embedded: the last applied commit. Empty before the first. */
  commit: z.string(),
  /** Digests over policies, .xcf.yaml, lifecycles, gates, approvers, windows and budgets. */
  governingDigest: z.string(),
  proposedDigest: z.string(),
  /** Policy bundle revisions to evaluate; one when both agree. */
  policyRevisions: z.array(z.string()).min(1),
  /** Human sentences: what the proposal would change about how it is judged. Not empty means a forced gate. */
  changes: z.array(z.string()),
  /** Approver groups and quorum for the environment, after stricter-wins. */
  approvals: z.strictObject({
    groups: z.array(z.string()),
    quorum: z.number().int().positive(),
    selfApproval: z.boolean(),
    declared: z.boolean(),
  }),
  tier: z.enum(["production", "staging", "development", "ephemeral"]),
  concurrency: z.number().int().positive(),
  /** What only plans can answer: approval rules with `when`, and budgets, of the governing and the proposed commit. */
  conditions: z.array(planConditionSchema),
  /** Who is who, as the governing commit says; absent where it says nothing. */
  identities: identitiesSchema.optional(),
});
export type Governance = z.infer<typeof governanceSchema>;

/** The planner's answer for one environment at one commit. Immutable; carries no plan yet. */
export const compilationSchema = z.strictObject({
  tenant: z.string(),
  repository: z.string(),
  environment: z.string(),
  commit: z.string(),
  baseCommit: z.string(),
  dirty: z.boolean(),
  /** Identities of everyone who wrote or committed since the base (lower-case e-mail addresses). */
  authors: z.array(z.string()),
  units: z.array(compiledUnitSchema),
  edges: z.array(edgeSchema),
  governance: governanceSchema,
});
export type Compilation = z.infer<typeof compilationSchema>;
