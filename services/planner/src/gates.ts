import type { Address } from "@xcloudflow/model/address";
import type { ChangeSetUnit, Gate } from "@xcloudflow/model/change-set";
import type { Governance } from "@xcloudflow/model/compilation";
import { windowUnderRules } from "@xcloudflow/model/plan-condition";
import { policyReason } from "@xcloudflow/model/policy-reason";
import { gateAsks, type Route } from "@xcloudflow/model/route";
import { describeWindowRule } from "@xcloudflow/model/window";
import type { GateTightening } from "./policy-document.ts";

type ApprovalGate = Extract<Gate, { kind: "approval" }>;

/** Who must approve one unit, and why. */
export interface Demand {
  readonly unit: Address;
  readonly groups: readonly string[];
  readonly quorum: number;
  readonly reason: string;
}

type GatedUnit = Pick<ChangeSetUnit, "address" | "route" | "status" | "changes" | "cost">;

/** Whether a unit's plan changes anything, as far as anybody knows. */
export function isChanging({ status }: Pick<ChangeSetUnit, "status">): boolean {
  return status !== "unchanged" && status !== "failed";
}

/**
 * What must happen before the units of a ChangeSet may be applied: one approval gate for each distinct set of groups and
 * quorum, one window gate for each distinct window. Units whose plan changes nothing wait for nothing.
 *
 * @param planDemands what the plans themselves bring into force.
 */
export function decideGates(
  units: readonly GatedUnit[],
  governance: Governance,
  tightenings: readonly GateTightening[],
  planDemands: readonly Demand[],
): Gate[] {
  const changing = units.filter(isChanging);
  const demands = [
    ...changing.flatMap((unit) => routeDemand(unit.address, unit.route, governance)),
    ...changing.flatMap((unit) => governanceDemand(unit.address, governance)),
    ...tightenings.flatMap((tightening) => policyDemands(tightening, changing, governance)),
    ...planDemands,
  ];
  return [...approvalGates(demands, governance.approvals.selfApproval), ...windowGates(changing, governance)];
}

function routeDemand(unit: Address, route: Route, governance: Governance): Demand[] {
  if (!gateAsks(route, { tier: governance.tier, approvalsDeclared: governance.approvals.declared })) return [];
  const { value, from } = route.gate;
  const place = from.at === undefined ? "the matrix" : `${from.layer} at ${from.at}`;
  const what =
    value.kind === "forced"
      ? `${route.lifecycle.value} changes are always approved`
      : "changes in this environment are approved";
  return [{ unit, groups: value.groups, quorum: value.quorum, reason: `${what} (${place})` }];
}

function governanceDemand(unit: Address, { approvals, changes }: Governance): Demand[] {
  return changes.map((change) => ({
    unit,
    groups: approvals.groups,
    quorum: approvals.quorum,
    reason: `the rules that judge changes are changed: ${change}`,
  }));
}

/** A policy's demand on a unit, or on all of them; without groups of its own it means the environment's approvers. */
function policyDemands(
  { unit, gate, groups, quorum, reason }: GateTightening,
  units: readonly Pick<ChangeSetUnit, "address" | "route">[],
  { approvals, tier }: Governance,
): Demand[] {
  const asks = gate === "forced" || tier === "production" || approvals.declared;
  if (!asks) return [];
  return units
    .filter(({ address }) => unit === "" || unit === address)
    .map(({ address, route }) => ({
      unit: address,
      groups: groups.length > 0 ? groups : route.gate.value.groups,
      quorum: Math.max(quorum, route.gate.value.quorum),
      reason: policyReason(reason),
    }));
}

function approvalGates(demands: readonly Demand[], selfApproval: boolean): ApprovalGate[] {
  const gates = new Map<string, { groups: string[]; quorum: number; units: Set<Address>; reasons: Set<string> }>();
  for (const { unit, groups, quorum, reason } of demands) {
    const sorted = [...new Set(groups)].sort();
    const key = JSON.stringify([sorted, quorum]);
    const gate = gates.get(key) ?? { groups: sorted, quorum, units: new Set(), reasons: new Set() };
    gate.units.add(unit);
    gate.reasons.add(reason);
    gates.set(key, gate);
  }
  return [...gates]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, { groups, quorum, units, reasons }]) => ({
      kind: "approval",
      units: [...units].sort(),
      groups,
      quorum,
      reasons: [...reasons].sort(),
      selfApproval,
    }));
}

function windowGates(units: readonly GatedUnit[], { conditions }: Governance): Gate[] {
  const windows = new Map<string, Address[]>();
  for (const unit of units) {
    const rule = windowUnderRules(unit.route, conditions, unit);
    if (rule === undefined) continue;
    const text = describeWindowRule(rule);
    windows.set(text, [...(windows.get(text) ?? []), unit.address]);
  }
  return [...windows]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([window, addresses]) => ({ kind: "window", units: addresses.sort(), window }));
}
