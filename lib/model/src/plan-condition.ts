import { z } from "zod";
import { type Address, addressSchema } from "./address.ts";
import { compareDecimals, decimalOf, parseDecimal } from "./decimal.ts";
import { type RuleWhen, ruleRequireSchema, ruleWhenSchema } from "./dsl/approval-rule.ts";
import { budgetLimitFields } from "./dsl/budget.ts";
import { gateAsks, type Route } from "./route.ts";
import type { RouteGate } from "./route-settings.ts";
import { bothWindows, isStricterGate, stricterGroups } from "./route-strictness.ts";
import type { ChangeActions, UnitPlan } from "./unit-plan.ts";
import type { WindowRule } from "./window.ts";

const placeFields = {
  name: z.string(),
  /** `file:line:col`. */
  at: z.string(),
  /** The units it is about, whether or not they change. */
  units: z.array(addressSchema),
};

/** A rule of a repository that only plans can answer: data here, judged where plans are. */
export const planConditionSchema = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("approvalRule"),
    ...placeFields,
    when: ruleWhenSchema,
    require: ruleRequireSchema,
  }),
  z.strictObject({ kind: z.literal("budget"), ...placeFields, ...budgetLimitFields }),
]);
export type PlanCondition = z.infer<typeof planConditionSchema>;
export type PlanRule = Extract<PlanCondition, { kind: "approvalRule" }>;
export type PlanBudget = Extract<PlanCondition, { kind: "budget" }>;

/** What a condition looks at. */
export type JudgedPlan = Pick<UnitPlan, "address" | "changes" | "cost">;

/**
 * Whether a plan is what a rule waits for: some resource of one of the types, to which one of the actions happens, and a
 * monthly cost above the limit; what is not given is not asked. A cost that nobody has estimated is not above anything.
 */
export function matchesPlan({ resourceTypes, actions, monthlyCostAbove }: RuleWhen, plan: JudgedPlan): boolean {
  if (monthlyCostAbove !== undefined && !costsMoreThan(plan, monthlyCostAbove)) return false;
  if (resourceTypes === undefined && actions === undefined) return true;
  return plan.changes.some((change) => {
    const action = actionOf(change.actions);
    if (action === undefined) return false;
    if (resourceTypes !== undefined && !resourceTypes.includes(change.type)) return false;
    return actions === undefined || (action !== "forget" && actions.includes(action));
  });
}

/** What the unit costs a month after the change where that is known, else what the change adds. */
export function monthlyCostOf({ monthlyTotal, monthlyDelta }: NonNullable<UnitPlan["cost"]>): string {
  return monthlyTotal ?? monthlyDelta;
}

function costsMoreThan({ cost }: JudgedPlan, limit: number): boolean {
  const amount = cost === undefined ? undefined : parseDecimal(monthlyCostOf(cost));
  return amount !== undefined && compareDecimals(amount, decimalOf(limit)) > 0;
}

/** In the words of a rule; undefined where nothing happens to the resource. Letting go of one is a change by no name. */
function actionOf(actions: ChangeActions): "create" | "update" | "replace" | "delete" | "forget" | undefined {
  if (actions.length === 2) return "replace";
  const [action] = actions;
  return action === "no-op" || action === "read" ? undefined : action;
}

const addresses = new WeakMap<PlanCondition, ReadonlySet<Address>>();

/** Whether a condition is about a unit; in an environment of many thousands each unit asks each condition. */
export function isAbout(condition: PlanCondition, unit: Address): boolean {
  const known = addresses.get(condition) ?? new Set(condition.units);
  addresses.set(condition, known);
  return known.has(unit);
}

/** The approval rules that a unit's plan brings into force. */
export function rulesInForce(conditions: readonly PlanCondition[], plan: JudgedPlan): PlanRule[] {
  return conditions.filter(
    (condition): condition is PlanRule =>
      condition.kind === "approvalRule" && isAbout(condition, plan.address) && matchesPlan(condition.when, plan),
  );
}

/** A unit's gate as one rule wants it: never looser than it is. */
export function gateUnderRule(gate: RouteGate, { require }: PlanRule): RouteGate {
  const { approval, groups, quorum } = require;
  return {
    kind: approval !== undefined && isStricterGate(approval, gate.kind) ? approval : gate.kind,
    groups: groups === undefined ? gate.groups : stricterGroups(groups, gate.groups),
    quorum: Math.max(gate.quorum, quorum ?? 1),
  };
}

/** Whether a rule makes people be asked about a unit. */
export function ruleAsks(
  rule: PlanRule,
  route: Pick<Route, "gate">,
  environment: Parameters<typeof gateAsks>[1],
): boolean {
  return gateAsks({ gate: { ...route.gate, value: gateUnderRule(route.gate.value, rule) } }, environment);
}

/** When a unit may be applied: its route's window, and those of the rules that its plan brings into force. */
export function windowUnderRules(
  { window }: Pick<Route, "window">,
  conditions: readonly PlanCondition[],
  plan: JudgedPlan,
): WindowRule | undefined {
  return rulesInForce(conditions, plan).reduce<WindowRule | undefined>((held, { require }) => {
    const { windows, blackouts } = require;
    if (windows === undefined && blackouts === undefined) return held;
    const rule = { allOf: windows === undefined ? [] : [windows], blackouts: blackouts ?? [] };
    return held === undefined ? rule : bothWindows(held, rule);
  }, window?.value);
}

/** Why people are asked, in one clause that names the rule and its place. */
export function ruleReason({ name, at }: PlanRule): string {
  return `the approval rule "${name}" asks for it (${at})`;
}
