import type { Address } from "@xcloudflow/model/address";
import { canonicalJson } from "@xcloudflow/model/canonical-json";
import type { Monorepo } from "@xcloudflow/model/dsl/monorepo-index";
import { matchesSelector, type SelectedUnit } from "@xcloudflow/model/dsl/selection";
import type { Selector } from "@xcloudflow/model/dsl/selector";
import type { PlanCondition } from "@xcloudflow/model/plan-condition";

/** A unit as rules may see it. */
export interface DescribedUnit {
  readonly address: Address;
  /** By each commit that has it, in each tier that a commit gives the environment. */
  readonly descriptions: readonly SelectedUnit[];
  /** No commit has it any more: owner and labels are not known. */
  readonly forgotten: boolean;
}

/**
 * Approval rules with `when`, and budgets, of every commit that has a say (the governing one first), each with the units
 * it is about. A unit is meant when any of its descriptions is, so that a proposal cannot relabel its way out; what is not
 * known of a unit that is to be destroyed counts for a rule, and not for a budget, whose sum it could only lower.
 */
export function collectConditions(
  sides: readonly Monorepo[],
  environment: string,
  units: () => readonly DescribedUnit[],
): PlanCondition[] {
  const collected = new Map<string, PlanCondition>();
  for (const condition of sides.flatMap((side) => conditionsOf(side, environment, units))) {
    const key = canonicalJson({ ...condition, at: "", units: [] });
    const known = collected.get(key);
    const merged =
      known === undefined ? condition : { ...known, units: [...new Set([...known.units, ...condition.units])].sort() };
    if (merged.units.length > 0) collected.set(key, merged);
  }
  return [...collected.values()];
}

function conditionsOf(monorepo: Monorepo, environment: string, units: () => readonly DescribedUnit[]): PlanCondition[] {
  const rules = monorepo.approvalRules.flatMap((rule): PlanCondition[] => {
    const { match, when, require } = rule.value.spec;
    if (when === undefined) return [];
    return [
      {
        kind: "approvalRule",
        name: rule.value.metadata.name,
        at: rule.source.reference(rule.index, ["spec", "when"]),
        units: meant(units(), match, true),
        when,
        require,
      },
    ];
  });
  const budgets = monorepo.budgets.map((budget): PlanCondition => {
    const { match, ...limit } = budget.value.spec;
    const at = budget.source.reference(budget.index, ["spec", "monthly"]);
    return { kind: "budget", name: budget.value.metadata.name, at, units: meant(units(), match, false), ...limit };
  });
  return [...rules, ...budgets, ...environmentBudget(monorepo, environment, units)];
}

function environmentBudget(
  monorepo: Monorepo,
  environment: string,
  units: () => readonly DescribedUnit[],
): PlanCondition[] {
  const declared = monorepo.environments.get(environment);
  const limit = declared?.value.spec.budget;
  if (declared === undefined || limit === undefined) return [];
  const at = declared.source.reference(declared.index, ["spec", "budget"]);
  // No document has a name with a space, so this is nobody else's.
  return [{ kind: "budget", name: `environment ${environment}`, at, units: meant(units(), {}, false), ...limit }];
}

function meant(units: readonly DescribedUnit[], match: Selector, withForgotten: boolean): Address[] {
  const { owners: _owners, labels: _labels, ...knowable } = match;
  return units
    .filter(({ descriptions, forgotten }) => {
      const selector = forgotten && withForgotten ? knowable : match;
      return descriptions.some((description) => matchesSelector(selector, description));
    })
    .map(({ address }) => address)
    .sort();
}
