import { type ApprovalRule, approvalRuleSchema } from "./approval-rule.ts";
import { type Budget, budgetSchema } from "./budget.ts";
import { type Composition, compositionSchema } from "./composition.ts";
import { type Environment, environmentSchema } from "./environment.ts";
import { type Platform, platformSchema } from "./platform.ts";

/** One document of the DSL. */
export type Document = Composition | Environment | Platform | ApprovalRule | Budget;
export type Kind = Document["kind"];

/** The validator of each kind: the one source of parser, types and published JSON Schemas. */
export const DOCUMENT_SCHEMAS = {
  Composition: compositionSchema,
  Environment: environmentSchema,
  Platform: platformSchema,
  ApprovalRule: approvalRuleSchema,
  Budget: budgetSchema,
} as const;

export const KINDS = Object.keys(DOCUMENT_SCHEMAS) as readonly Kind[];
