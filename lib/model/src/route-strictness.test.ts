import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { LIFECYCLES } from "./lifecycle.ts";
import { type Route, routeSchema } from "./route.ts";
import { decideRoute } from "./route-layers.ts";
import { stricterRoute } from "./route-strictness.ts";
import { windowSchema } from "./window.ts";

const base = decideRoute({
  address: "prod/shop/db",
  lifecycle: { value: "Platform", at: "c.yaml:4:3" },
  layers: [],
}).route;
const origin = { layer: "composition", at: "c.yaml:1:1" } as const;

function route(
  fields: { [K in keyof Route]?: Route[K] extends infer D ? (D extends { value: infer V } ? V : never) : never },
): Route {
  return routeSchema.parse({
    ...base,
    ...Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, { value, from: origin }])),
  });
}

const gate = (kind: Route["gate"]["value"]["kind"], groups: string[] = [], quorum = 1) => ({ kind, groups, quorum });
const nights = windowSchema.parse({ from: "22:00", to: "05:00" });
const days = windowSchema.parse({ from: "09:00", to: "17:00" });

describe("of two routes, whichever way round they are, the stricter field counts", () => {
  const cases: readonly [name: keyof Route, strict: Parameters<typeof route>[0], loose: Parameters<typeof route>[0]][] =
    [
      ["gate", { gate: gate("forced") }, { gate: gate("environment") }],
      ["gate", { gate: gate("environment") }, { gate: gate("automatic") }],
      ["gate", { gate: gate("automatic") }, { gate: gate("none") }],
      ["gate", { gate: gate("forced", ["dba"], 2) }, { gate: gate("forced", [], 1) }],
      ["gate", { gate: gate("forced", ["dba"]) }, { gate: gate("forced", ["dba", "leads"]) }],
      ["lifecycle", { lifecycle: "Foundation" }, { lifecycle: "Application" }],
      ["lifecycle", { lifecycle: "Platform" }, { lifecycle: "Ephemeral" }],
      ["drift", { drift: "alert" }, { drift: "correct" }],
      ["drift", { drift: "correct" }, { drift: "collect" }],
      ["backup", { backup: "pre-change" }, { backup: "none" }],
      ["backup", { backup: "configuration" }, { backup: "state" }],
      ["concurrency", { concurrency: 1 }, { concurrency: 8 }],
      [
        "reconcile",
        { reconcile: { strategy: "on_drift", interval: "24h" } },
        { reconcile: { strategy: "continuous", interval: "1m" } },
      ],
      ["window", { window: { allOf: [[nights]], blackouts: [] } }, {}],
      ["observe", { observe: { window: "1h", checks: [], onBreach: "rollback" } }, {}],
      ["ttl", {}, { ttl: "1h" }],
      ["ttl", { ttl: "2h" }, { ttl: "1h" }],
    ];
  for (const [field, strict, loose] of cases) {
    test(`${field}: ${JSON.stringify(strict[field as "gate"])} over ${JSON.stringify(loose[field as "gate"])}`, () => {
      const wanted = (route(strict) as Record<string, { value?: unknown } | string | undefined>)[field];
      for (const answer of [stricterRoute(route(strict), route(loose)), stricterRoute(route(loose), route(strict))]) {
        assert.deepEqual((answer as Record<string, unknown>)[field], wanted);
      }
    });
  }

  test("parts of a gate come from both sides", () => {
    const answer = stricterRoute(
      route({ gate: gate("environment", ["leads"], 3) }),
      route({ gate: gate("forced", [], 1) }),
    );
    assert.deepEqual(answer.gate.value, gate("forced", ["leads"], 3));
  });

  test("groups that have nobody in common: those that govern", () => {
    const answer = stricterRoute(
      route({ gate: gate("forced", ["leads"]) }),
      route({ gate: gate("forced", ["friends"]) }),
    );
    assert.deepEqual(answer.gate.value.groups, ["leads"]);
  });

  test("both windows must be open, and both kinds of checks pass", () => {
    const up = { name: "up", prometheus: "up", min: 1 };
    const errors = { name: "errors", prometheus: "errors", max: 1 };
    const answer = stricterRoute(
      route({
        window: { allOf: [[nights]], blackouts: [] },
        observe: { window: "1h", checks: [up], onBreach: "alert" },
      }),
      route({
        window: { allOf: [[days], [nights]], blackouts: [] },
        observe: { window: "5m", checks: [errors], onBreach: "hold" },
      }),
    );
    assert.deepEqual(answer.window?.value.allOf, [[nights], [days]]);
    assert.deepEqual(answer.observe?.value, { window: "1h", checks: [up, errors], onBreach: "hold" });
  });

  test("what does not judge a change is the proposal's", () => {
    const answer = stricterRoute(
      route({ engine: "terraform", changeFrequency: "low", reconcile: { strategy: "periodic", interval: "24h" } }),
      route({ engine: "pulumi", changeFrequency: "high", reconcile: { strategy: "periodic", interval: "5m" } }),
    );
    assert.deepEqual(
      [answer.engine.value, answer.changeFrequency.value, answer.reconcile.value.interval],
      ["pulumi", "high", "5m"],
    );
  });
});

describe("for any two routes", () => {
  const some: fc.Arbitrary<Route> = fc
    .record(
      {
        lifecycle: fc.constantFrom(...LIFECYCLES),
        gate: fc.record({
          kind: fc.constantFrom("forced", "environment", "automatic", "none"),
          groups: fc.uniqueArray(fc.constantFrom("a", "b", "c")),
          quorum: fc.integer({ min: 1, max: 3 }),
        }),
        drift: fc.constantFrom("alert", "correct", "collect"),
        backup: fc.constantFrom("none", "state", "configuration", "pre-change"),
        concurrency: fc.integer({ min: 1, max: 9 }),
      },
      { noNullPrototype: true },
    )
    .map((fields) => route(fields as Parameters<typeof route>[0]));

  test("the answer is a route, and asking again with either side changes nothing", () => {
    fc.assert(
      fc.property(some, some, (governing, proposed) => {
        const answer = stricterRoute(governing, proposed);
        routeSchema.parse(answer);
        assert.deepEqual(stricterRoute(governing, answer), answer);
        const values = (each: Route) => [
          each.lifecycle.value,
          each.drift.value,
          each.backup.value,
          each.concurrency.value,
          each.gate.value.kind,
          each.gate.value.quorum,
        ];
        assert.deepEqual(values(stricterRoute(proposed, governing)), values(answer));
      }),
    );
  });
});
