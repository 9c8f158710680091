import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Route } from "../route.ts";
import { compileMonorepo } from "./monorepo.ts";
import { routeUnit } from "./route-question.ts";

/** The example of the design document, byte for byte. */
const DESIGN_EXAMPLE = `apiVersion: xcloudflow.io/v1alpha1
kind: Composition
metadata:
  name: payments-prod
spec:
  lifecycle: PaaS
  changeFrequency: medium
  modules:
    - ref: modules/aws/rds-cluster
      engine: terraform
      inputs:
        engineVersion: "15"
      policies:
        approval: environment
        backup: pre-change
  dependencies:
    - ref: compositions/foundation/network-prod
  reconcile:
    strategy: periodic
    interval: 6h
`;

const NETWORK = `kind: Composition
metadata: {name: network-prod}
spec: {lifecycle: IaaS, modules: [{ref: modules/aws/vpc}]}
`;

const PROD = `kind: Environment
metadata: {name: prod}
spec:
  tier: production
  windows: [{from: "22:00", to: "05:00"}]
  compositions:
    - ref: compositions/foundation/network-prod
    - ref: compositions/payments-prod
`;

function routes(files: Readonly<Record<string, string>>, contents?: string[]): Record<string, Route> {
  const { monorepo, expansions, problems } = compileMonorepo(
    new Map(
      Object.entries({
        "compositions/payments-prod.yaml": DESIGN_EXAMPLE,
        "compositions/foundation/network-prod.yaml": NETWORK,
        "envs/prod/environment.yaml": PROD,
        ...files,
      }),
    ),
  );
  assert.deepEqual(problems, []);
  const units = expansions.get("prod")?.units ?? [];
  return Object.fromEntries(units.map((unit) => [unit.composition, routeUnit(monorepo, unit, contents).route]));
}

const module = (at: string) => ({ layer: "module", at: `compositions/payments-prod.yaml:${at}` });
const composition = (at: string) => ({ layer: "composition", at: `compositions/payments-prod.yaml:${at}` });

describe("the design document's composition in a production environment", () => {
  test("routes exactly as the document says, each field with its origin", () => {
    const { "payments-prod": route } = routes({});
    assert.deepEqual(route, {
      address: "prod/payments-prod/rds-cluster",
      lifecycle: { value: "Platform", from: composition("6:3") },
      changeFrequency: { value: "medium", from: composition("7:3") },
      engine: { value: "terraform", from: module("10:7") },
      reconcile: { value: { strategy: "periodic", interval: "6h" }, from: composition("19:5") },
      drift: { value: "correct", from: { layer: "matrix" } },
      gate: { value: { kind: "environment", groups: [], quorum: 1 }, from: module("14:9") },
      backup: { value: "pre-change", from: module("15:9") },
      concurrency: { value: 4, from: { layer: "matrix" } },
      window: {
        value: { allOf: [[{ days: ["Mon-Sun"], from: "22:00", to: "05:00", timezone: "UTC" }]], blackouts: [] },
        from: { layer: "environment", at: "envs/prod/environment.yaml:5:3" },
      },
    });
  });

  test("its network takes the engine from its files", () => {
    const { "network-prod": route } = routes({}, ["pulumi"]);
    assert.deepEqual(route?.engine, {
      value: "pulumi",
      from: { layer: "module", at: "compositions/foundation/network-prod.yaml:3:36" },
    });
  });
});

describe("the layers of the DSL", () => {
  const platform = (spec: string) => ({ ".xcf.yaml": `kind: Platform\nspec:\n${spec}` });

  test("a platform's matrix row speaks to its class alone, under either name", () => {
    const spec =
      "  matrix:\n    PaaS:\n      driftPolicy: alert\n      frequencies: {medium: {concurrency: 9}, high: {concurrency: 99}}\n";
    const answer = routes(platform(spec));
    assert.deepEqual(answer["payments-prod"]?.drift, {
      value: "alert",
      from: { layer: "platform", at: ".xcf.yaml:5:7" },
    });
    assert.deepEqual(answer["payments-prod"]?.concurrency, {
      value: 9,
      from: { layer: "platform", at: ".xcf.yaml:6:30" },
    });
    assert.deepEqual(answer["network-prod"]?.concurrency, { value: 1, from: { layer: "matrix" } });
  });

  test("an environment's matrix row comes after the platform's", () => {
    const answer = routes({
      ...platform("  matrix: {Platform: {backupPolicy: none, ttl: 5h}}\n"),
      "envs/prod/environment.yaml": `${PROD}  matrix: {Platform: {ttl: 7h}}\n`,
    });
    assert.deepEqual(answer["payments-prod"]?.ttl, {
      value: "7h",
      from: { layer: "environment", at: "envs/prod/environment.yaml:9:23" },
    });
    assert.deepEqual(answer["payments-prod"]?.backup.from, module("15:9"));
  });

  test("what an environment says of one composition it says of that one", () => {
    const answer = routes({ "envs/prod/environment.yaml": `${PROD}      driftPolicy: alert\n      concurrency: 2\n` });
    assert.deepEqual(answer["payments-prod"]?.drift, {
      value: "alert",
      from: { layer: "environment", at: "envs/prod/environment.yaml:9:7" },
    });
    assert.deepEqual(answer["payments-prod"]?.concurrency.value, 2);
    assert.deepEqual(answer["network-prod"]?.concurrency.value, 1);
  });

  test("approvals of the environment are the groups and quorum of its gates", () => {
    const answer = routes({ "envs/prod/environment.yaml": `${PROD}  approvals: {groups: [leads], quorum: 2}\n` });
    assert.deepEqual(answer["payments-prod"]?.gate.value, { kind: "environment", groups: ["leads"], quorum: 2 });
    assert.deepEqual(answer["network-prod"]?.gate, {
      value: { kind: "forced", groups: ["leads"], quorum: 2 },
      from: { layer: "matrix" },
    });
  });

  test("the shorthand says strategy and interval at once", () => {
    const answer = routes({
      "compositions/foundation/network-prod.yaml": NETWORK.replace(
        "lifecycle: IaaS",
        "lifecycle: IaaS, reconcileStrategy: 'periodic:10m'",
      ),
    });
    assert.deepEqual(answer["network-prod"]?.reconcile.value, { strategy: "periodic", interval: "10m" });
  });

  test("checks beside observe are watched, too", () => {
    const text = DESIGN_EXAMPLE.replace("  reconcile:", "  checks: [{name: up, prometheus: up, min: 1}]\n  reconcile:");
    const answer = routes({
      "compositions/payments-prod.yaml": text,
      "envs/prod/environment.yaml": `${PROD}  observe: {window: 5m, onBreach: rollback}\n`,
    });
    assert.deepEqual(answer["payments-prod"]?.observe, {
      value: { window: "5m", checks: [{ name: "up", prometheus: "up", min: 1 }], onBreach: "rollback" },
      from: composition("18:3"),
    });
  });

  test("module policies in the long form name groups and quorum", () => {
    const text = DESIGN_EXAMPLE.replace("approval: environment", "approval: {kind: forced, groups: [dba], quorum: 3}");
    const { "payments-prod": route } = routes({ "compositions/payments-prod.yaml": text });
    assert.deepEqual(route?.gate, { value: { kind: "forced", groups: ["dba"], quorum: 3 }, from: module("14:20") });
  });
});

describe("approval rules", () => {
  const rule = (match: string, more = "") => ({
    "policies/rules.yaml": `kind: ApprovalRule\nmetadata: {name: r}\nspec:\n  match: ${match}\n  require: {approval: forced, groups: [dba]}\n${more}`,
  });
  const origin = { layer: "policy", at: "policies/rules.yaml:5:13" };
  const matching: readonly [string, boolean][] = [
    ["{}", true],
    ["{environments: [prod]}", true],
    ["{environments: [staging]}", false],
    ["{tiers: [production]}", true],
    ["{tiers: [development]}", false],
    ["{lifecycles: [PaaS]}", true],
    ["{lifecycles: [Foundation]}", false],
    ["{changeFrequencies: [medium]}", true],
    ["{changeFrequencies: [low]}", false],
    ["{compositions: [payments-prod]}", true],
    ["{modules: [vpc]}", false],
    ["{engines: [terraform]}", true],
    ["{engines: [pulumi]}", false],
    ["{owners: [payments]}", false],
    ["{labels: {team: payments}}", false],
    ["{environments: [prod], engines: [pulumi]}", false],
  ];
  for (const [match, applies] of matching) {
    test(`${match} ${applies ? "tightens" : "leaves"} the gate`, () => {
      const { "payments-prod": route } = routes(rule(match));
      assert.equal(route?.gate.value.kind, applies ? "forced" : "environment");
      assert.deepEqual(route?.gate.from, applies ? origin : module("14:9"));
    });
  }

  test("that depend on a plan decide nothing before there is one", () => {
    const { "payments-prod": route } = routes(rule("{}", "  when: {actions: [delete]}\n"));
    assert.equal(route?.gate.value.kind, "environment");
  });
});
