import type { Address } from "./address.ts";
import type { CompiledUnit, Edge } from "./compilation.ts";
import { buildGraph, type Graph } from "./graph.ts";

interface OrderedUnit {
  readonly address: Address;
  readonly action: CompiledUnit["action"];
}

/**
 * The order in which units run: `dependenciesOf` answers what must be done before. An edge says that `to` depends on
 * `from`; it is followed as it stands between two units that stay, and backwards where either goes: a consumer lets
 * go before its producer is destroyed, and a consumer that goes is gone before its producer changes.
 */
export function executionGraph(units: readonly OrderedUnit[], edges: readonly Edge[]): Graph {
  const going = new Set(units.filter(({ action }) => action === "destroy").map(({ address }) => address));
  const order = edges.map((edge) =>
    going.has(edge.from) || going.has(edge.to) ? { from: edge.to, to: edge.from } : edge,
  );
  return buildGraph(
    units.map(({ address }) => address),
    order,
  );
}
