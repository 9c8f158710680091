import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Lifecycle } from "./lifecycle.ts";
import { gateAsks, type Route, routeValues } from "./route.ts";
import type { RouteLayer, RouteQuestion } from "./route-layer.ts";
import { decideRoute } from "./route-layers.ts";
import { windowSchema } from "./window.ts";

const nights = [windowSchema.parse({ days: ["Mon-Thu"], from: "22:00", to: "05:00" })];
const weekend = [windowSchema.parse({ days: ["Sat-Sun"], from: "00:00", to: "23:59" })];

function layer(name: RouteLayer["layer"], fields: Partial<RouteLayer>): RouteLayer {
  return { layer: name, specific: name !== "platform" && name !== "environment", ...fields };
}

function ask(lifecycle: Lifecycle, layers: RouteLayer[], more: Partial<RouteQuestion> = {}) {
  return decideRoute({ address: "prod/shop/db", lifecycle: { value: lifecycle, at: "c.yaml:4:3" }, layers, ...more });
}

const at = (file: string): string => `${file}:1:1`;

describe("every layer overrides the ones before it, field by field, and is named as the origin", () => {
  const layers = ["platform", "environment", "composition", "module"] as const;
  const values = {
    strategy: ["on_drift", "continuous", "on_change", "periodic"],
    drift: ["alert", "collect", "alert", "correct"],
    gate: ["forced", "automatic", "none", "environment"],
    backup: ["none", "state", "configuration", "pre-change"],
    concurrency: [3, 5, 7, 9],
    ttl: ["1h", "2h", "3h", "4h"],
    engine: ["terraform", "pulumi", "playbook", "kubernetes"],
  } as const;
  const read: Record<keyof typeof values, (route: Route) => { value: unknown; from: unknown } | undefined> = {
    strategy: ({ reconcile }) => ({ value: reconcile.value.strategy, from: reconcile.from }),
    drift: ({ drift }) => drift,
    gate: ({ gate }) => ({ value: gate.value.kind, from: gate.from }),
    backup: ({ backup }) => backup,
    concurrency: ({ concurrency }) => concurrency,
    ttl: ({ ttl }) => ttl,
    engine: ({ engine }) => engine,
  };
  for (const field of ["strategy", "drift", "gate", "backup", "concurrency", "ttl", "engine"] as const) {
    for (const [count, name] of layers.entries()) {
      test(`${field}: ${name}`, () => {
        const given = layers.slice(0, count + 1).map((each, index) => {
          return layer(each, { [field]: { value: values[field][index], at: at(each) } });
        });
        const { route, problems } = ask("Platform", given);
        assert.deepEqual(read[field](route), { value: values[field][count], from: { layer: name, at: at(name) } });
        assert.deepEqual(problems, []);
      });
    }
  }
});

describe("reconcile", () => {
  test("an interval alone moves the interval; the origin stays that of the strategy", () => {
    const { route } = ask("Platform", [layer("composition", { interval: { value: "6h", at: at("c") } })]);
    assert.deepEqual(route.reconcile, { value: { strategy: "periodic", interval: "6h" }, from: { layer: "matrix" } });
  });

  test("a strategy alone keeps the class's interval", () => {
    const { route } = ask("Platform", [layer("composition", { strategy: { value: "continuous", at: at("c") } })]);
    assert.deepEqual(route.reconcile, {
      value: { strategy: "continuous", interval: "15m" },
      from: { layer: "composition", at: at("c") },
    });
  });
});

describe("no layer loosens a Foundation gate", () => {
  const others = ["platform", "environment", "composition", "module"] as const;
  for (const name of others) {
    for (const kind of ["environment", "automatic", "none"] as const) {
      test(`${name} asks for ${kind}`, () => {
        const { route, problems } = ask("Foundation", [layer(name, { gate: { value: kind, at: "x.yaml:7:9" } })]);
        assert.deepEqual(route.gate, { value: { kind: "forced", groups: [], quorum: 1 }, from: { layer: "matrix" } });
        assert.deepEqual(
          problems.map(({ code, at: place }) => [code, place]),
          [["GATE_LOOSENED", "x.yaml:7:9"]],
        );
      });
    }
  }

  test("fewer approvals or other groups are refused, more or fewer groups are not", () => {
    const environment = layer("environment", {
      groups: { value: ["leads", "dba"], at: at("e") },
      quorum: { value: 2, at: at("e") },
    });
    const loose = layer("composition", {
      groups: { value: ["interns"], at: at("c") },
      quorum: { value: 1, at: at("c") },
    });
    const refused = ask("Foundation", [environment, loose]);
    assert.deepEqual(refused.route.gate.value, { kind: "forced", groups: ["leads", "dba"], quorum: 2 });
    assert.equal(refused.problems.length, 2);
    const strict = layer("composition", { groups: { value: ["dba"], at: at("c") }, quorum: { value: 3, at: at("c") } });
    const kept = ask("Foundation", [environment, strict]);
    assert.deepEqual(kept.route.gate.value, { kind: "forced", groups: ["dba"], quorum: 3 });
    assert.deepEqual(kept.problems, []);
  });

  test("anybody instead of groups is refused", () => {
    const environment = layer("environment", { groups: { value: ["leads"], at: at("e") } });
    const { route, problems } = ask("Foundation", [
      environment,
      layer("module", { groups: { value: [], at: at("m") } }),
    ]);
    assert.deepEqual(route.gate.value.groups, ["leads"]);
    assert.equal(problems.length, 1);
  });

  test("windows of every layer must be open at once", () => {
    const { route } = ask("Foundation", [
      layer("environment", { windows: { value: nights, at: at("e") } }),
      layer("composition", { windows: { value: weekend, at: at("c") } }),
    ]);
    assert.deepEqual(route.window?.value.allOf, [nights, weekend]);
  });

  test("another class may loosen its own", () => {
    const { route, problems } = ask("Platform", [layer("composition", { gate: { value: "none", at: at("c") } })]);
    assert.equal(route.gate.value.kind, "none");
    assert.deepEqual(problems, []);
  });
});

describe("a policy only tightens", () => {
  test("it raises a gate and is named", () => {
    const { route } = ask("Application", [
      layer("policy", { gate: { value: "forced", at: at("p") }, quorum: { value: 2, at: at("p") } }),
    ]);
    assert.deepEqual(route.gate, {
      value: { kind: "forced", groups: [], quorum: 2 },
      from: { layer: "policy", at: at("p") },
    });
  });

  test("what is looser is ignored without a word, since a rule speaks of many units", () => {
    const layers = [
      layer("environment", { groups: { value: ["leads"], at: at("e") }, quorum: { value: 3, at: at("e") } }),
      layer("policy", { gate: { value: "automatic", at: at("p") }, quorum: { value: 1, at: at("p") } }),
    ];
    const { route, problems } = ask("Platform", layers);
    assert.deepEqual(route.gate, {
      value: { kind: "environment", groups: ["leads"], quorum: 3 },
      from: { layer: "matrix" },
    });
    assert.deepEqual(problems, []);
  });

  test("of groups, those that both ask for; where there are none, the policy's", () => {
    const groupsOf = (environment: string[], policy: string[]): readonly string[] =>
      ask("Platform", [
        layer("environment", { groups: { value: environment, at: at("e") } }),
        layer("policy", { groups: { value: policy, at: at("p") } }),
      ]).route.gate.value.groups;
    assert.deepEqual(groupsOf(["leads", "dba"], ["dba", "security"]), ["dba"]);
    assert.deepEqual(groupsOf(["leads"], ["security"]), ["security"]);
    assert.deepEqual(groupsOf([], ["security"]), ["security"]);
  });

  test("its windows come on top of those that are declared", () => {
    const { route } = ask("Platform", [
      layer("composition", { windows: { value: nights, at: at("c") } }),
      layer("policy", { windows: { value: weekend, at: at("p") } }),
    ]);
    assert.deepEqual(route.window, {
      value: { allOf: [nights, weekend], blackouts: [] },
      from: { layer: "policy", at: at("p") },
    });
  });
});

describe("windows", () => {
  const environment = layer("environment", { windows: { value: nights, at: at("e") } });

  test("of an environment hold where the gate asks people, and not where it asks nobody", () => {
    assert.deepEqual(ask("Foundation", [environment]).route.window?.value.allOf, [nights]);
    assert.deepEqual(ask("Platform", [environment]).route.window?.value.allOf, [nights]);
    for (const lifecycle of ["Application", "Config", "Ephemeral"] as const) {
      assert.equal(ask(lifecycle, [environment]).route.window, undefined);
    }
  });

  test("of a composition hold for any gate and replace the environment's", () => {
    const composition = layer("composition", { windows: { value: weekend, at: at("c") } });
    assert.deepEqual(ask("Application", [environment, composition]).route.window, {
      value: { allOf: [weekend], blackouts: [] },
      from: { layer: "composition", at: at("c") },
    });
  });

  test("blackouts of all layers hold for everything", () => {
    const blackout = (day: string) => ({ from: day, to: day, timezone: "UTC" });
    const layers = [
      layer("platform", { blackouts: { value: [blackout("2026-12-24")], at: at("p") } }),
      layer("composition", { blackouts: { value: [blackout("2026-12-31")], at: at("c") } }),
    ];
    assert.deepEqual(ask("Ephemeral", layers).route.window, {
      value: { allOf: [], blackouts: [blackout("2026-12-24"), blackout("2026-12-31")] },
      from: { layer: "composition", at: at("c") },
    });
  });
});

test("an observation is put together: checks add up by name, the rest is overridden", () => {
  const errors = { name: "errors", prometheus: "rate(errors[5m])", max: 0.01 };
  const latency = { name: "latency", prometheus: "p99", max: 1 };
  const { route } = ask("Platform", [
    layer("environment", {
      observe: { value: { window: "15m", checks: [errors], onBreach: "rollback" }, at: at("e") },
    }),
    layer("composition", { observe: { value: { checks: [latency, { ...errors, max: 0.5 }] }, at: at("c") } }),
  ]);
  assert.deepEqual(route.observe, {
    value: { window: "15m", checks: [latency, { ...errors, max: 0.5 }], onBreach: "rollback" },
    from: { layer: "composition", at: at("c") },
  });
});

describe("the engine", () => {
  const contents = (...engines: string[]) => ({ contents: { engines, at: "c.yaml:9:7" } });

  test("that is written wins", () => {
    const { route, problems } = ask(
      "Platform",
      [layer("module", { engine: { value: "pulumi", at: at("m") } })],
      contents("pulumi"),
    );
    assert.deepEqual(route.engine, { value: "pulumi", from: { layer: "module", at: at("m") } });
    assert.deepEqual(problems, []);
  });

  test("that is written against the files is used and reported", () => {
    const { route, problems } = ask(
      "Platform",
      [layer("module", { engine: { value: "pulumi", at: at("m") } })],
      contents("terraform"),
    );
    assert.equal(route.engine.value, "pulumi");
    assert.deepEqual(
      problems.map(({ code, at: place }) => [code, place]),
      [["ENGINE_MISMATCH", at("m")]],
    );
  });

  test("is what the files speak of, and the module's ref is its origin", () => {
    const { route } = ask("Platform", [], contents("terraform"));
    assert.deepEqual(route.engine, { value: "terraform", from: { layer: "module", at: "c.yaml:9:7" } });
  });

  test("is the class's preference among several, and without files", () => {
    assert.deepEqual(ask("Foundation", [], contents("pulumi", "terraform")).route.engine, {
      value: "terraform",
      from: { layer: "matrix" },
    });
    assert.deepEqual(ask("Config", []).route.engine, { value: "playbook", from: { layer: "matrix" } });
  });

  test("preference can be overridden as a default", () => {
    const platform = layer("platform", { engines: { value: ["pulumi"], at: at("p") } });
    assert.deepEqual(ask("Foundation", [platform], contents("terraform", "pulumi")).route.engine, {
      value: "pulumi",
      from: { layer: "platform", at: at("p") },
    });
  });
});

describe("whether people are asked", () => {
  const cases: readonly [
    Route["gate"]["value"]["kind"],
    "production" | "development",
    declared: boolean,
    asks: boolean,
  ][] = [
    ["forced", "development", false, true],
    ["forced", "production", true, true],
    ["environment", "production", false, true],
    ["environment", "development", true, true],
    ["environment", "development", false, false],
    ["automatic", "production", true, false],
    ["none", "production", true, false],
  ];
  for (const [kind, tier, approvalsDeclared, asks] of cases) {
    test(`${kind} in ${tier}${approvalsDeclared ? " with approvals declared" : ""}: ${asks ? "yes" : "no"}`, () => {
      const gate: Route["gate"] = { value: { kind, groups: [], quorum: 1 }, from: { layer: "matrix" } };
      assert.equal(gateAsks({ gate }, { tier, approvalsDeclared }), asks);
    });
  }
});

test("the values without origins do not change when a line moves", () => {
  const here = ask("Platform", [layer("module", { backup: { value: "state", at: "c.yaml:9:7" } })]).route;
  const there = ask("Platform", [layer("module", { backup: { value: "state", at: "c.yaml:10:7" } })]).route;
  assert.notDeepEqual(here, there);
  assert.deepEqual(routeValues(here), routeValues(there));
  assert.equal(routeValues(here).backup, "state");
});
