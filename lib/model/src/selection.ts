import type { Address } from "./address.ts";
import type { AppliedPointer } from "./applied-pointer.ts";
import { CodedError } from "./coded-error.ts";
import type { CompiledUnit, Edge } from "./compilation.ts";
import { digestOf } from "./digest.ts";
import { buildGraph, type Graph, withDependants } from "./graph.ts";
import type { Inputs } from "./input-value.ts";
import type { JsonObject } from "./json-value.ts";
import { type Route, routeValues } from "./route.ts";

export type SelectionReason = CompiledUnit["reason"];

export interface Selection {
  readonly selected: boolean;
  readonly reason: SelectionReason;
}

/** What selection looks at in a unit. */
export interface SelectableUnit {
  readonly address: Address;
  readonly action: CompiledUnit["action"];
  readonly contentHash: string;
  readonly movedFrom?: Address | undefined;
}

export interface SelectionRequest {
  /** Exactly these, with what they need. Empty: everything that is affected. */
  readonly only: readonly Address[];
  /** Units to select even when nothing about them differs. */
  readonly replace: readonly Address[];
  /** Every unit in `units` is to be destroyed. */
  readonly destroy: boolean;
  /** Every unit in `units` is to be compared with the world. */
  readonly appliedOnly: boolean;
}

/** Thrown when a unit is named that the environment does not have. */
export class UnitUnknownError extends CodedError {
  readonly address: Address;

  constructor(address: Address, nearest: Address | undefined) {
    super("UNIT_UNKNOWN", "notFound", {
      what: `there is no unit ${address}`,
      hint: nearest === undefined ? "`xcf graph` lists the units" : `did you mean ${nearest}?`,
    });
    this.address = address;
  }
}

/**
 * `sha256:…` over what a unit is made of: its module with everything that includes, its inputs with references as
 * they stand, its engine with settings, and what its route decides. Where a decision was written is left out, so that
 * moving a line changes nothing, and so is the address, so that a renamed unit is the same.
 */
export function unitContentHash(unit: {
  readonly module: { readonly contentHash: string };
  readonly inputs: Inputs;
  readonly engine: string;
  readonly engineConfig: JsonObject;
  readonly route: Route;
}): string {
  return digestOf({
    module: unit.module.contentHash,
    inputs: unit.inputs,
    engine: unit.engine,
    engineConfig: unit.engineConfig,
    route: { ...routeValues(unit.route), address: undefined },
  });
}

/**
 * Which units a ChangeSet is about, and why. A unit is affected when its content hash is not the one it was applied
 * with, when it is new, moved or wanted no more; whatever depends on an affected unit is affected too.
 *
 * @param edges dependencies, of the commit and as applied; ends outside of `units` are left out
 */
export function selectUnits(
  units: readonly SelectableUnit[],
  applied: ReadonlyMap<Address, AppliedPointer>,
  edges: readonly Edge[],
  request: SelectionRequest,
): Map<Address, Selection> {
  const own = new Map(units.map((unit) => [unit.address, ownReason(unit, applied, request)]));
  const graph = buildGraph([...own.keys()], edges);
  const requested = new Set([...request.only, ...request.replace]);
  const roots = [...own].filter(([address, reason]) => reason !== "unchanged" || request.replace.includes(address));
  const affected = withDependants(
    graph,
    roots.map(([address]) => address),
  );
  const wanted = request.only.length === 0 ? affected : withNeeds(graph, requested, affected, request.destroy);
  return new Map(
    [...own].map(([address, reason]) => [address, selectionOf(address, reason, { affected, wanted, requested })]),
  );
}

function ownReason(
  unit: SelectableUnit,
  applied: ReadonlyMap<Address, AppliedPointer>,
  request: SelectionRequest,
): SelectionReason {
  if (request.appliedOnly) return "drift";
  if (unit.action === "destroy") return request.destroy ? "requested" : "removed";
  const pointer = applied.get(unit.movedFrom ?? unit.address);
  if (pointer === undefined) return "new";
  return unit.movedFrom === undefined && pointer.unit.contentHash === unit.contentHash ? "unchanged" : "changed";
}

/**
 * The named units and what they cannot do without: for a change, the affected units they depend on; for a removal,
 * the units that depend on them, which must let go first.
 */
function withNeeds(
  graph: Graph,
  named: ReadonlySet<Address>,
  affected: ReadonlySet<Address>,
  destroy: boolean,
): Set<Address> {
  if (destroy) return withDependants(graph, named);
  const found = new Set(named);
  const queue = [...named];
  for (let address = queue.pop(); address !== undefined; address = queue.pop()) {
    for (const dependency of graph.dependenciesOf.get(address) ?? []) {
      if (found.has(dependency) || !affected.has(dependency)) continue;
      found.add(dependency);
      queue.push(dependency);
    }
  }
  return found;
}

function selectionOf(
  address: Address,
  reason: SelectionReason,
  sets: {
    readonly affected: ReadonlySet<Address>;
    readonly wanted: ReadonlySet<Address>;
    readonly requested: ReadonlySet<Address>;
  },
): Selection {
  if (!sets.wanted.has(address)) {
    return { selected: false, reason: sets.affected.has(address) ? "excluded" : "unchanged" };
  }
  if (reason !== "unchanged") return { selected: true, reason };
  return { selected: true, reason: sets.requested.has(address) ? "requested" : "dependency" };
}
