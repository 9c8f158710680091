import type { Address } from "./address.ts";
import { canonicalJson } from "./canonical-json.ts";
import type { ChangeSet, ChangeSetUnit } from "./change-set.ts";
import type { Compilation, CompiledUnit, Edge } from "./compilation.ts";
import { type PlanCondition, rulesInForce } from "./plan-condition.ts";
import { ROUTE_FIELDS } from "./route.ts";

/** How an approved ChangeSet and the repository as it is now differ. */
export interface FreshnessDifference {
  /** Empty: the ChangeSet as a whole. */
  readonly unit: Address | "";
  readonly what: "content" | "inputs" | "route" | "policy" | "governance" | "engine" | "vanished";
  readonly detail: string;
}

/**
 * Compares what was approved with the same environment compiled at another commit. Only the ChangeSet's own units and
 * the rules that judge them count: a commit that touches neither differs in nothing, and so does one that only moves
 * lines. Serials and engine versions are not known here; whoever runs the ChangeSet compares them.
 */
export function compareFreshness(approved: ChangeSet, current: Compilation): FreshnessDifference[] {
  const units = new Map(current.units.map((unit) => [unit.address, unit]));
  return [
    ...approved.units.flatMap((unit) => compareUnit(unit, units.get(unit.address))),
    ...compareEdges(approved, current),
    ...compareGovernance(approved, current),
  ];
}

function compareUnit(unit: ChangeSetUnit, current: CompiledUnit | undefined): FreshnessDifference[] {
  const differ = (what: FreshnessDifference["what"], detail: string): FreshnessDifference => ({
    unit: unit.address,
    what,
    detail,
  });
  if (current === undefined || current.action === "destroy") {
    return unit.destroy ? [] : [differ("vanished", "the repository does not want this unit any more")];
  }
  // A removal that was asked for (`--destroy`) holds although the commit has the unit, as it did when it was approved.
  if (unit.destroy) return unit.reason === "removed" ? [differ("content", "the repository wants this unit again")] : [];
  const differences: FreshnessDifference[] = [];
  if (unit.module.contentHash !== current.module.contentHash)
    differences.push(differ("content", "its module has changed"));
  if (unit.engine !== current.engine)
    differences.push(differ("engine", `its engine is ${current.engine}, approved was ${unit.engine}`));
  if (unit.movedFrom !== current.movedFrom) differences.push(differ("content", "it takes over another unit's state"));
  for (const field of ["inputs", "engineConfig", "credentials", "ignoreDrift"] as const) {
    if (!same(unit[field], current[field]))
      differences.push(differ("inputs", `its ${FIELD_WORDS[field]} have changed`));
  }
  for (const field of ROUTE_FIELDS) {
    if (!same(unit.route[field]?.value, current.route[field]?.value))
      differences.push(differ("route", `its ${field} has changed`));
  }
  return differences;
}

const FIELD_WORDS = {
  inputs: "inputs",
  engineConfig: "engine settings",
  credentials: "credentials",
  ignoreDrift: "ignored paths",
} as const;

/** A new dependency must be applied before; one that is gone needs nothing. */
function compareEdges(approved: ChangeSet, current: Compilation): FreshnessDifference[] {
  const staying = new Set(approved.units.filter((unit) => !unit.destroy).map((unit) => unit.address));
  const going = new Set(current.units.filter(({ action }) => action === "destroy").map(({ address }) => address));
  const key = ({ from, to }: Edge): string => `${from} ${to}`;
  const known = new Set(approved.edges.map(key));
  return current.edges
    .filter((edge) => staying.has(edge.to) && !going.has(edge.from) && !known.has(key(edge)))
    .map(({ from, to }) => ({ unit: to, what: "inputs", detail: `it depends on ${from} now` }));
}

function compareGovernance(approved: ChangeSet, current: Compilation): FreshnessDifference[] {
  const differences: FreshnessDifference[] = [];
  const [was, is] = [approved.governance, current.governance];
  if (!same([...was.policyRevisions].sort(), [...is.policyRevisions].sort())) {
    differences.push({ unit: "", what: "policy", detail: "the policies have changed" });
  }
  const judged = ({
    governingDigest,
    proposedDigest,
    approvals,
    tier,
    concurrency,
  }: Compilation["governance"]): unknown => [governingDigest, proposedDigest, approvals, tier, concurrency];
  if (!same(judged(was), judged(is)) || !same(inForce(was.conditions, approved), inForce(is.conditions, approved))) {
    differences.push({ unit: "", what: "governance", detail: "the rules that judge the change have changed" });
  }
  return differences;
}

/** What the conditions mean for the approved plans; rules and budgets that have nothing to say about them do not count. */
function inForce(conditions: readonly PlanCondition[], { units }: ChangeSet): unknown {
  const addresses = new Set(units.map(({ address }) => address));
  const rules = units.flatMap((unit) =>
    rulesInForce(conditions, unit).map(({ name, require }) => canonicalJson([unit.address, name, require])),
  );
  const budgets = conditions.flatMap((condition) => {
    const { at: _, ...limit } = condition;
    const members = condition.units.filter((address) => addresses.has(address));
    if (condition.kind !== "budget" || members.length === 0) return [];
    return [canonicalJson({ ...limit, units: members })];
  });
  return [...new Set([...rules, ...budgets])].sort();
}

function same(a: unknown, b: unknown): boolean {
  return canonicalJson(a ?? null) === canonicalJson(b ?? null);
}
