import type { ChangeSet } from "./change-set.ts";
import { type JudgedPlan, ruleAsks, ruleReason, rulesInForce } from "./plan-condition.ts";
import { policyReason } from "./policy-reason.ts";
import type { Route } from "./route.ts";

/** A policy's demand for a stricter gate, about one unit or (empty) all. */
export interface AskedTightening {
  readonly unit: string;
  readonly gate: string;
  readonly reason: string;
}

/**
 * Why people would be asked about a unit's real plan that were not asked it about the approved one: rules that only the
 * real plan brings into force, by asking or by a window of their own, and policies whose words nobody has seen.
 */
export function newDemands(
  { governance, gates }: Pick<ChangeSet, "governance" | "gates">,
  approved: JudgedPlan & { readonly route: Pick<Route, "gate"> },
  real: JudgedPlan,
  tightenings: readonly AskedTightening[],
): string[] {
  const { conditions, tier, approvals } = governance;
  const environment = { tier, approvalsDeclared: approvals.declared };
  const before = new Set(rulesInForce(conditions, approved));
  const rules = rulesInForce(conditions, real).filter(
    (rule) =>
      !before.has(rule) &&
      (ruleAsks(rule, approved.route, environment) ||
        rule.require.windows !== undefined ||
        rule.require.blackouts !== undefined),
  );
  const seen = new Set(
    gates.flatMap((gate) => (gate.kind === "approval" && gate.units.includes(approved.address) ? gate.reasons : [])),
  );
  const said = tightenings
    .filter(({ unit, gate }) => {
      const meant = unit === "" || unit === approved.address;
      return meant && (gate === "forced" || tier === "production" || approvals.declared);
    })
    .map(({ reason }) => policyReason(reason))
    .filter((reason) => !seen.has(reason));
  return [...new Set([...rules.map(ruleReason), ...said])];
}
