import type { ChangeSet, ChangeSetUnit } from "@xcloudflow/model/change-set";
import { type ChangeSetContent, changeSetDigest } from "@xcloudflow/model/change-set-digest";
import type { Compilation, CompiledUnit, Edge } from "@xcloudflow/model/compilation";
import { sumCosts } from "@xcloudflow/model/cost-sum";
import { formatDecimal } from "@xcloudflow/model/decimal";
import type { UnitPlan } from "@xcloudflow/model/unit-plan";
import { CostsIncomparableError, UnitPlansMismatchedError } from "./assemble-errors.ts";
import { decideGates } from "./gates.ts";
import { judgeConditions } from "./plan-conditions.ts";
import type { PolicyDocument } from "./policy-document.ts";

export interface AssembleParts {
  readonly id: string;
  readonly compilation: Compilation;
  /** One for each selected unit. */
  readonly plans: readonly UnitPlan[];
  readonly policy: PolicyDocument;
  /** Content hash of the module that each unit was last applied with. */
  readonly priorSnapshots: ReadonlyMap<string, string>;
  readonly author: string;
  readonly origin: ChangeSet["origin"];
  /** RFC 3339. */
  readonly createdAt: string;
  readonly expiresAt: string;
}

/**
 * The immutable ChangeSet of a compilation, its plans and policy's verdict, with what approval rules and budgets make of
 * the plans. Pure: equal parts give an equal document and
 * digest, in whatever order plans, units and edges are handed in.
 *
 * @throws {UnitPlansMismatchedError} when the plans are not those of the selected units.
 */
export function assembleChangeSet(parts: AssembleParts): ChangeSet {
  const { compilation, policy } = parts;
  const units = joinUnits(parts);
  const { demands, denials, warnings } = judgeConditions(units, compilation.governance, policy.verdict.revision);
  const content: ChangeSetContent = {
    tenant: compilation.tenant,
    repository: compilation.repository,
    environment: compilation.environment,
    origin: parts.origin,
    commit: compilation.commit,
    baseCommit: compilation.baseCommit,
    dirty: compilation.dirty,
    author: parts.author,
    authors: [...compilation.authors].sort(),
    expiresAt: parts.expiresAt,
    units,
    edges: touchingEdges(compilation.edges, units),
    gates: decideGates(units, compilation.governance, policy.tightenings, demands),
    policy: {
      ...policy.verdict,
      verdict: denials.length > 0 ? "deny" : policy.verdict.verdict,
      denials: [...policy.verdict.denials, ...denials],
      warnings: [...policy.verdict.warnings, ...warnings],
    },
    governance: compilation.governance,
    cost: totalCost(units),
  };
  return { ...content, id: parts.id, digest: changeSetDigest(content), createdAt: parts.createdAt };
}

function joinUnits({ compilation, plans, priorSnapshots }: AssembleParts): ChangeSetUnit[] {
  const byAddress = new Map<string, UnitPlan>();
  for (const plan of plans) {
    if (byAddress.has(plan.address))
      throw new UnitPlansMismatchedError(plan.address, "there are two plans for this unit");
    byAddress.set(plan.address, plan);
  }
  const joined: ChangeSetUnit[] = [];
  for (const unit of compilation.units) {
    const plan = byAddress.get(unit.address);
    if (plan === undefined && unit.selected)
      throw new UnitPlansMismatchedError(unit.address, "there is no plan for this unit");
    if (plan === undefined) continue;
    byAddress.delete(unit.address);
    joined.push(joinUnit(unit, plan, priorSnapshots.get(unit.movedFrom ?? unit.address) ?? null));
  }
  for (const address of byAddress.keys())
    throw new UnitPlansMismatchedError(address, "the compilation has no such unit");
  return joined.sort((a, b) => compareText(a.address, b.address));
}

function joinUnit(unit: CompiledUnit, plan: UnitPlan, snapshot: string | null): ChangeSetUnit {
  if (plan.engine !== unit.engine || plan.destroy !== (unit.action === "destroy")) {
    throw new UnitPlansMismatchedError(
      unit.address,
      `it was planned by ${plan.engine} ${plan.destroy ? "to be destroyed" : "to be applied"}, compiled for ${unit.engine} to ${unit.action}`,
    );
  }
  return {
    ...plan,
    changes: [...plan.changes].sort((a, b) => compareText(a.address, b.address)),
    lifecycle: unit.route.lifecycle.value,
    changeFrequency: unit.route.changeFrequency.value,
    route: unit.route,
    module: unit.module,
    inputs: unit.inputs,
    engineConfig: unit.engineConfig,
    credentials: unit.credentials,
    ignoreDrift: unit.ignoreDrift,
    ...(unit.pool === undefined ? {} : { pool: unit.pool }),
    ...(unit.owner === undefined ? {} : { owner: unit.owner }),
    replace: unit.replace,
    contentHash: unit.contentHash,
    reason: unit.reason,
    ...(unit.movedFrom === undefined ? {} : { movedFrom: unit.movedFrom }),
    prior: { ...plan.prior, snapshot },
  };
}

/** Edges with an end in the ChangeSet: also what its units depend on outside of it, which their applied pointers keep. */
function touchingEdges(edges: readonly Edge[], units: readonly ChangeSetUnit[]): Edge[] {
  const inside = new Set(units.map(({ address }) => address));
  const touching = edges.filter(({ from, to }) => inside.has(from) || inside.has(to));
  return touching.sort((a, b) => compareText(a.to, b.to) || compareText(a.from, b.from));
}

const NO_COST = { monthlyDelta: "0.00", currency: "USD" };

function totalCost(units: readonly ChangeSetUnit[]): ChangeSet["cost"] {
  const sum = sumCosts(
    units.flatMap(({ cost }) => (cost === undefined ? [] : [{ amount: cost.monthlyDelta, currency: cost.currency }])),
  );
  if (sum.kind === "incomparable") throw new CostsIncomparableError(sum.detail);
  return sum.kind === "none" ? NO_COST : { monthlyDelta: formatDecimal(sum.amount, 2), currency: sum.currency };
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
