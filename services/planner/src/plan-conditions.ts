import type { Address } from "@xcloudflow/model/address";
import type { ChangeSetUnit, Finding } from "@xcloudflow/model/change-set";
import type { Governance } from "@xcloudflow/model/compilation";
import { type CostSum, sumCosts } from "@xcloudflow/model/cost-sum";
import { compareDecimals, decimalOf, formatDecimal } from "@xcloudflow/model/decimal";
import {
  gateUnderRule,
  isAbout,
  monthlyCostOf,
  type PlanBudget,
  ruleAsks,
  ruleReason,
  rulesInForce,
} from "@xcloudflow/model/plan-condition";
import { type Demand, isChanging } from "./gates.ts";

export type ConditionedUnit = Pick<ChangeSetUnit, "address" | "route" | "status" | "changes" | "cost">;

/** What a ChangeSet's plans bring into force. */
export interface ConditionVerdict {
  readonly demands: readonly Demand[];
  readonly denials: readonly Finding[];
  readonly warnings: readonly Finding[];
}

/** The namespace of findings about budgets; no Rego package is asked for it. */
export const BUDGET_NAMESPACE = "budget";

/**
 * Judges plans by the approval rules and budgets that the compilation carries. Each rule asks for itself, so that a second
 * one cannot water down the first. Only units that change are looked at; a budget that is exceeded holds back what adds to
 * the cost, never what lowers it.
 *
 * @param revision of the verdict that the findings join.
 */
export function judgeConditions(
  units: readonly ConditionedUnit[],
  governance: Governance,
  revision: string,
): ConditionVerdict {
  const changing = units.filter(isChanging);
  const budgets = governance.conditions.flatMap((condition) =>
    condition.kind === "budget" ? judgeBudget(condition, changing) : [],
  );
  const exceeded = budgets.flatMap(({ budget, members, cost }) =>
    cost === undefined ? [] : [{ budget, members, finding: exceededFinding(budget, cost, revision) }],
  );
  const findingsOf = (reaction: PlanBudget["onExceed"]): Finding[] =>
    exceeded.flatMap(({ budget, finding }) => (budget.onExceed === reaction ? [finding] : []));
  return {
    demands: [
      ...changing.flatMap((unit) => ruleDemands(unit, governance)),
      ...exceeded.flatMap(({ budget, members, finding }) =>
        budget.onExceed === "require-approval" ? budgetDemands(members, finding.message) : [],
      ),
    ],
    denials: findingsOf("deny"),
    warnings: [...findingsOf("warn"), ...unknownFinding(budgets, revision)],
  };
}

function ruleDemands(unit: ConditionedUnit, { conditions, tier, approvals }: Governance): Demand[] {
  const environment = { tier, approvalsDeclared: approvals.declared };
  return rulesInForce(conditions, unit)
    .filter((rule) => ruleAsks(rule, unit.route, environment))
    .map((rule) => {
      const { groups, quorum } = gateUnderRule(unit.route.gate.value, rule);
      return { unit: unit.address, groups, quorum, reason: ruleReason(rule) };
    });
}

function budgetDemands(members: readonly ConditionedUnit[], reason: string): Demand[] {
  return members.map(({ address, route }) => ({
    unit: address,
    groups: route.gate.value.groups,
    quorum: route.gate.value.quorum,
    reason,
  }));
}

interface BudgetJudgement {
  readonly budget: PlanBudget;
  readonly members: readonly ConditionedUnit[];
  /** What the members come to, where that is more than the budget has. */
  readonly cost: string | undefined;
  /** Members whose cost in the budget's currency nobody knows. */
  readonly unknown: readonly Address[];
}

function judgeBudget(budget: PlanBudget, changing: readonly ConditionedUnit[]): BudgetJudgement[] {
  const members = changing.filter(({ address }) => isAbout(budget, address));
  if (members.length === 0) return [];
  const estimates = members.flatMap(({ cost }) =>
    cost === undefined || cost.currency !== budget.currency ? [] : [{ ...cost, total: monthlyCostOf(cost) }],
  );
  const added = sumCosts(estimates.map(({ monthlyDelta, currency }) => ({ amount: monthlyDelta, currency })));
  const total = sumCosts(estimates.map(({ total: amount, currency }) => ({ amount, currency })));
  const exceeds = isAbove(added, 0) && isAbove(total, budget.monthly);
  return [
    {
      budget,
      members,
      cost: exceeds && total.kind === "sum" ? formatDecimal(total.amount, 2) : undefined,
      unknown: members.filter(({ cost }) => cost?.currency !== budget.currency).map(({ address }) => address),
    },
  ];
}

function isAbove(sum: CostSum, limit: number): boolean {
  return sum.kind === "sum" && compareDecimals(sum.amount, decimalOf(limit)) > 0;
}

function exceededFinding({ name, at, monthly, currency }: PlanBudget, cost: string, revision: string): Finding {
  const limit = formatDecimal(decimalOf(monthly));
  return {
    namespace: BUDGET_NAMESPACE,
    rule: name,
    message: `${cost} ${currency} a month is more than the ${limit} ${currency} of the budget "${name}" (${at})`,
    metadata: { at, cost, currency, monthly: limit },
    revision,
  };
}

const MAX_NAMES = 5;

/** One warning for all budgets together: an estimator that is not there is missed by every one of them. */
function unknownFinding(budgets: readonly BudgetJudgement[], revision: string): Finding[] {
  const units = [...new Set(budgets.flatMap(({ unknown }) => unknown))].sort();
  if (units.length === 0) return [];
  const names = budgets.filter(({ unknown }) => unknown.length > 0).map(({ budget }) => `"${budget.name}"`);
  const more = units.length > MAX_NAMES ? ` and ${units.length - MAX_NAMES} more` : "";
  const [budgetWord, judge] = names.length === 1 ? ["the budget", "judges"] : ["the budgets", "judge"];
  return [
    {
      namespace: BUDGET_NAMESPACE,
      rule: "cost-unknown",
      message: `nobody has estimated the cost of ${units.slice(0, MAX_NAMES).join(", ")}${more}: ${budgetWord} ${names.join(", ")} ${judge} without`,
      metadata: { units },
      revision,
    },
  ];
}
