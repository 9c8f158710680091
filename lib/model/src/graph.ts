import type { Address } from "./address.ts";
import { CodedError } from "./coded-error.ts";
import type { Edge } from "./compilation.ts";

/** Thrown when dependencies form a circle; `cycle` lists its members in order, the first repeated at the end. */
export class GraphCycleError extends CodedError {
  readonly cycle: readonly Address[];

  constructor(cycle: readonly Address[]) {
    super("GRAPH_CYCLE", "invalid", {
      what: `these units depend on each other: ${cycle.join(" → ")}`,
      hint: "remove one of the references",
    });
    this.cycle = cycle;
  }
}

/** Adjacency lists both ways; built once, asked often. */
export interface Graph {
  readonly nodes: readonly Address[];
  readonly dependenciesOf: ReadonlyMap<Address, readonly Address[]>;
  readonly dependantsOf: ReadonlyMap<Address, readonly Address[]>;
}

/** Edges whose ends are not both in `nodes` are left out; parallel edges count once. */
export function buildGraph(nodes: readonly Address[], edges: readonly Edge[]): Graph {
  const dependencies = new Map<Address, Set<Address>>(nodes.map((node) => [node, new Set()]));
  const dependants = new Map<Address, Set<Address>>(nodes.map((node) => [node, new Set()]));
  for (const { from, to } of edges) {
    const incoming = dependencies.get(to);
    const outgoing = dependants.get(from);
    if (incoming === undefined || outgoing === undefined) continue;
    incoming.add(from);
    outgoing.add(to);
  }
  return { nodes, dependenciesOf: listed(dependencies), dependantsOf: listed(dependants) };
}

function listed(sets: ReadonlyMap<Address, ReadonlySet<Address>>): Map<Address, readonly Address[]> {
  return new Map([...sets].map(([node, set]) => [node, [...set]]));
}

/**
 * Waves: wave 0 has no dependencies, each further wave depends only on earlier ones. Kahn's algorithm, O(nodes + edges).
 *
 * @throws {GraphCycleError} when there is no such order.
 */
export function orderWaves(graph: Graph): Address[][] {
  const waiting = new Map(graph.nodes.map((node) => [node, graph.dependenciesOf.get(node)?.length ?? 0]));
  const waves: Address[][] = [];
  let wave = graph.nodes.filter((node) => waiting.get(node) === 0);
  let placed = 0;
  while (wave.length > 0) {
    waves.push(wave);
    placed += wave.length;
    const next: Address[] = [];
    for (const node of wave) {
      for (const dependant of graph.dependantsOf.get(node) ?? []) {
        const left = (waiting.get(dependant) ?? 0) - 1;
        waiting.set(dependant, left);
        if (left === 0) next.push(dependant);
      }
    }
    wave = next;
  }
  if (placed < graph.nodes.length) throw new GraphCycleError(findCycle(graph, waiting));
  return waves;
}

function findCycle(graph: Graph, waiting: ReadonlyMap<Address, number>): Address[] {
  const stuck = (node: Address): boolean => (waiting.get(node) ?? 0) > 0;
  const path: Address[] = [];
  const seen = new Map<Address, number>();
  let node = graph.nodes.find(stuck);
  while (node !== undefined && !seen.has(node)) {
    seen.set(node, path.length);
    path.push(node);
    node = (graph.dependenciesOf.get(node) ?? []).find(stuck);
  }
  if (node === undefined) return path;
  return [...path.slice(seen.get(node)), node].reverse();
}

/** `roots` and everything that depends on them, directly or not. */
export function withDependants(graph: Graph, roots: Iterable<Address>): Set<Address> {
  const found = new Set<Address>();
  const queue = [...roots];
  for (let node = queue.pop(); node !== undefined; node = queue.pop()) {
    if (found.has(node)) continue;
    found.add(node);
    queue.push(...(graph.dependantsOf.get(node) ?? []));
  }
  return found;
}
