import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  CHANGE_FREQUENCIES,
  type ChangeFrequency,
  canonicalLifecycle,
  LIFECYCLES,
  type Lifecycle,
} from "./lifecycle.ts";
import { unusualClass } from "./matrix.ts";
import type { Route } from "./route.ts";
import { decideRoute } from "./route-layers.ts";

/** The design document's table, once more and by hand: what the code must decide for every cell. */
const CLASSES: readonly [
  Lifecycle,
  engine: string,
  strategy: string,
  drift: string,
  gate: string,
  backup: string,
  ttl: string | undefined,
][] = [
  ["Foundation", "terraform", "on_drift", "alert", "forced", "configuration", undefined],
  ["Platform", "kubernetes", "periodic", "correct", "environment", "pre-change", undefined],
  ["Application", "kubernetes", "continuous", "correct", "automatic", "none", undefined],
  ["Config", "playbook", "on_change", "correct", "automatic", "none", undefined],
  ["Ephemeral", "provider", "continuous", "collect", "none", "none", "72h"],
];

const CELLS: readonly [Lifecycle, ChangeFrequency, interval: string, concurrency: number][] = [
  ["Foundation", "low", "24h", 1],
  ["Foundation", "medium", "12h", 2],
  ["Foundation", "high", "6h", 4],
  ["Platform", "low", "30m", 2],
  ["Platform", "medium", "15m", 4],
  ["Platform", "high", "5m", 8],
  ["Application", "low", "15m", 8],
  ["Application", "medium", "5m", 16],
  ["Application", "high", "1m", 32],
  ["Config", "low", "24h", 8],
  ["Config", "medium", "6h", 16],
  ["Config", "high", "1h", 32],
  ["Ephemeral", "low", "15m", 8],
  ["Ephemeral", "medium", "5m", 16],
  ["Ephemeral", "high", "1m", 32],
];

function routeOf(lifecycle: Lifecycle, frequency?: ChangeFrequency): Route {
  return decideRoute({
    address: "prod/shop/main",
    lifecycle: { value: lifecycle, at: "c.yaml:4:3" },
    ...(frequency === undefined ? {} : { changeFrequency: { value: frequency, at: "c.yaml:5:3" } }),
    layers: [],
  }).route;
}

describe("every cell of the matrix", () => {
  for (const [lifecycle, frequency, interval, concurrency] of CELLS) {
    test(`${lifecycle} × ${frequency}`, () => {
      const row = CLASSES.find(([name]) => name === lifecycle);
      assert.ok(row);
      const [, engine, strategy, drift, gate, backup, ttl] = row;
      const matrix = { layer: "matrix" };
      const route = routeOf(lifecycle, frequency);
      assert.deepEqual(route, {
        address: "prod/shop/main",
        lifecycle: { value: lifecycle, from: { layer: "composition", at: "c.yaml:4:3" } },
        changeFrequency: { value: frequency, from: { layer: "composition", at: "c.yaml:5:3" } },
        engine: { value: engine, from: matrix },
        reconcile: { value: { strategy, interval }, from: matrix },
        drift: { value: drift, from: matrix },
        gate: { value: { kind: gate, groups: [], quorum: 1 }, from: matrix },
        backup: { value: backup, from: matrix },
        concurrency: { value: concurrency, from: matrix },
        ...(ttl === undefined ? {} : { ttl: { value: ttl, from: matrix } }),
      });
    });
  }

  test("there is no cell besides these", () => {
    assert.equal(CELLS.length, LIFECYCLES.length * CHANGE_FREQUENCIES.length);
    assert.equal(new Set(CELLS.map(([lifecycle, frequency]) => `${lifecycle} ${frequency}`)).size, CELLS.length);
  });

  test("frequency moves cadence and batch size, never the gate or anything else", () => {
    for (const lifecycle of LIFECYCLES) {
      const constant = CHANGE_FREQUENCIES.map((frequency) => {
        const { changeFrequency: _frequency, concurrency: _batch, reconcile, ...rest } = routeOf(lifecycle, frequency);
        return { ...rest, strategy: reconcile.value.strategy };
      });
      for (const other of constant) assert.deepEqual(other, constant[0]);
    }
  });

  test("without a frequency the class's usual one decides, and the matrix is its origin", () => {
    const usual = { Foundation: "low", Platform: "medium", Application: "high", Config: "high", Ephemeral: "high" };
    for (const lifecycle of LIFECYCLES) {
      assert.deepEqual(routeOf(lifecycle).changeFrequency, { value: usual[lifecycle], from: { layer: "matrix" } });
    }
  });
});

test("the design's layer names mean the canonical classes", () => {
  assert.equal(canonicalLifecycle("IaaS"), "Foundation");
  assert.equal(canonicalLifecycle("PaaS"), "Platform");
  assert.equal(canonicalLifecycle("Apps"), "Application");
  for (const lifecycle of LIFECYCLES) assert.equal(canonicalLifecycle(lifecycle), lifecycle);
});

describe("a module whose path speaks of another class", () => {
  const cases: readonly [Lifecycle, ref: string, word: string | undefined][] = [
    ["Application", "modules/aws/vpc", "vpc"],
    ["Foundation", "modules/aws/rds-cluster", "rds"],
    ["Platform", "modules/k8s-cluster", "k8s-cluster"],
    ["Platform", "modules/aws/rds-cluster", undefined],
    ["Foundation", "modules/vpc", undefined],
    ["Ephemeral", "modules/vpc", undefined],
    ["Config", "modules/redis", undefined],
    ["Application", "modules/web", undefined],
    ["Application", "modules/redis-vpc", undefined],
    ["Application", "modules/vpc/app", undefined],
  ];
  for (const [lifecycle, ref, word] of cases) {
    test(`${ref} as ${lifecycle}: ${word ?? "nothing odd"}`, () => {
      assert.equal(unusualClass(lifecycle, ref)?.word, word);
    });
  }
});
