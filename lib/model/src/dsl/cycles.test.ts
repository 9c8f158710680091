import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { findCycles } from "./cycles.ts";

function cyclesOf(graph: Readonly<Record<string, readonly string[]>>): string[] {
  return findCycles(Object.keys(graph), (node) => graph[node] ?? []).map((cycle) => cycle.join(" "));
}

describe("cycles", () => {
  test("there are none in a tree", () => assert.deepEqual(cyclesOf({ a: ["b", "c"], b: ["d"], c: ["d"], d: [] }), []));
  test("a node that needs itself", () => assert.deepEqual(cyclesOf({ a: ["a"] }), ["a a"]));
  test("two that need each other", () => assert.deepEqual(cyclesOf({ a: ["b"], b: ["a"] }), ["a b a"]));
  test("a shortest one of a knot", () =>
    assert.deepEqual(cyclesOf({ a: ["b"], b: ["c", "a"], c: ["d"], d: ["a"] }), ["a b a"]));
  test("one of each knot", () =>
    assert.equal(cyclesOf({ a: ["b"], b: ["a"], c: ["d", "a"], d: ["c"], e: ["a"] }).length, 2));
  test("a node outside the list is no part of it", () => assert.deepEqual(cyclesOf({ a: ["z"] }), []));
  test("a chain of a hundred thousand costs no stack", () => {
    const size = 100_000;
    const nodes = Array.from({ length: size }, (_, index) => index);
    assert.deepEqual(
      findCycles(nodes, (node) => (node + 1 < size ? [node + 1] : [])),
      [],
    );
    assert.equal(findCycles(nodes, (node) => [(node + 1) % size])[0]?.length, size + 1);
  });

  test("for any graph: what is found is a cycle, and without the knots' edges none is left", () => {
    const edges = fc.array(fc.tuple(fc.nat({ max: 7 }), fc.nat({ max: 7 })), { maxLength: 24 });
    fc.assert(
      fc.property(edges, (pairs) => {
        const next = (node: number): number[] => pairs.filter(([from]) => from === node).map(([, to]) => to);
        const nodes = [0, 1, 2, 3, 4, 5, 6, 7];
        const cycles = findCycles(nodes, next);
        for (const cycle of cycles) {
          assert.equal(cycle[0], cycle.at(-1));
          for (const [index, node] of cycle.slice(1).entries()) assert.ok(next(cycle[index] ?? -1).includes(node));
        }
        const reaches = (from: number, to: number, seen = new Set<number>()): boolean =>
          next(from).some((node) => node === to || (!seen.has(node) && reaches(node, to, seen.add(node))));
        const knotted = nodes.filter((node) => reaches(node, node));
        const told = new Set(cycles.flat());
        for (const node of knotted)
          assert.ok([...told].some((other) => other === node || (reaches(node, other) && reaches(other, node))));
        if (knotted.length === 0) assert.deepEqual(cycles, []);
      }),
    );
  });
});
