import { z } from "zod";
import { groupNameSchema } from "../route-settings.ts";
import { blackoutSchema, windowSchema } from "../window.ts";
import { apiVersionSchema, metadataSchema } from "./metadata.ts";
import { selectorSchema } from "./selector.ts";

/** What only a plan can tell: looked at when the ChangeSet is assembled. */
export const ruleWhenSchema = z.strictObject({
  resourceTypes: z.array(z.string().min(1).max(200)).min(1).optional(),
  actions: z
    .array(z.enum(["create", "update", "replace", "delete"]))
    .min(1)
    .optional(),
  monthlyCostAbove: z.number().min(0).optional(),
});
export type RuleWhen = z.infer<typeof ruleWhenSchema>;

/** What a rule asks for; it can only add to what is asked anyway. */
export const ruleRequireSchema = z.strictObject({
  approval: z.enum(["forced", "environment", "automatic"]).optional(),
  groups: z.array(groupNameSchema).min(1).max(100).optional(),
  quorum: z.number().int().min(1).max(100).optional(),
  windows: z.array(windowSchema).min(1).max(100).optional(),
  blackouts: z.array(blackoutSchema).max(400).optional(),
});

/** Tightens the gate of the units it matches; it can never loosen one. */
export const approvalRuleSchema = z.strictObject({
  apiVersion: apiVersionSchema,
  kind: z.literal("ApprovalRule"),
  metadata: metadataSchema,
  spec: z.strictObject({
    match: selectorSchema.default({}),
    when: ruleWhenSchema.optional(),
    require: ruleRequireSchema,
  }),
});
export type ApprovalRule = z.infer<typeof approvalRuleSchema>;
