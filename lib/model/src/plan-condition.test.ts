import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { RuleWhen } from "./dsl/approval-rule.ts";
import { gateUnderRule, matchesPlan, type PlanRule, rulesInForce, windowUnderRules } from "./plan-condition.ts";
import type { RouteGate } from "./route-settings.ts";
import { isStricterGate } from "./route-strictness.ts";
import { changeActionsSchema, type ResourceChange, type UnitPlan } from "./unit-plan.ts";
import { isWindowOpen } from "./window.ts";

function change(type: string, ...actions: string[]): ResourceChange {
  return {
    address: `${type}.this`,
    type,
    actions: changeActionsSchema.parse(actions),
    before: null,
    after: null,
    unknown: {},
    sensitive: {},
    replacePaths: [],
  };
}

function plan(changes: readonly ResourceChange[], cost?: UnitPlan["cost"]) {
  return { address: "prod/shop/db", changes: [...changes], ...(cost === undefined ? {} : { cost }) };
}

test("one resource must be of the type and have the action, not one each", () => {
  const when: RuleWhen = { resourceTypes: ["db"], actions: ["delete"] };
  assert.equal(matchesPlan(when, plan([change("db", "delete")])), true);
  assert.equal(matchesPlan(when, plan([change("db", "update"), change("vm", "delete")])), false);
});

test("a replacement is neither a deletion nor a creation", () => {
  for (const actions of [
    ["delete", "create"],
    ["create", "delete"],
  ]) {
    assert.equal(matchesPlan({ actions: ["replace"] }, plan([change("db", ...actions)])), true);
    assert.equal(matchesPlan({ actions: ["delete", "create"] }, plan([change("db", ...actions)])), false);
  }
});

test("a type alone means any change of it, letting go included, and reading or leaving alone not", () => {
  const when: RuleWhen = { resourceTypes: ["db"] };
  for (const action of ["create", "update", "delete", "forget"])
    assert.equal(matchesPlan(when, plan([change("db", action)])), true, action);
  for (const action of ["no-op", "read"]) assert.equal(matchesPlan(when, plan([change("db", action)])), false, action);
});

test("a cost is compared exactly, the total before the difference, and one that is not known is above nothing", () => {
  const when: RuleWhen = { monthlyCostAbove: 0.3 };
  const cost = (monthlyDelta: string, monthlyTotal?: string) =>
    plan([], { monthlyDelta, currency: "USD", ...(monthlyTotal === undefined ? {} : { monthlyTotal }) });
  assert.equal(matchesPlan(when, cost("0.30000000000000000000000001")), true);
  assert.equal(matchesPlan(when, cost("0.30")), false);
  assert.equal(matchesPlan(when, cost("0.1", "500")), true);
  assert.equal(matchesPlan(when, plan([change("db", "create")])), false);
  assert.equal(matchesPlan({ monthlyCostAbove: 0 }, plan([])), false);
});

test("everything that is given must hold", () => {
  const when: RuleWhen = { actions: ["create"], monthlyCostAbove: 10 };
  const cost = { monthlyDelta: "11", currency: "USD" };
  assert.equal(matchesPlan(when, plan([change("db", "create")], cost)), true);
  assert.equal(matchesPlan(when, plan([change("db", "update")], cost)), false);
  assert.equal(matchesPlan(when, plan([change("db", "create")])), false);
});

function rule(require: PlanRule["require"], units = ["prod/shop/db"]): PlanRule {
  return { kind: "approvalRule", name: "r", at: "policies/r.yaml:4:3", units, when: {}, require };
}

test("a rule is in force for the units it names only", () => {
  const [own, other] = [rule({ quorum: 2 }), rule({ quorum: 3 }, ["prod/shop/web"])];
  assert.deepEqual(rulesInForce([own, other], plan([])), [own]);
});

const group = fc.constantFrom("a", "b", "c");
const gate: fc.Arbitrary<RouteGate> = fc.record({
  kind: fc.constantFrom("none", "automatic", "environment", "forced"),
  groups: fc.uniqueArray(group),
  quorum: fc.integer({ min: 1, max: 4 }),
});

test("no rule makes a gate looser", () => {
  const wanted = fc.record(
    {
      approval: fc.constantFrom("forced", "environment", "automatic"),
      groups: fc.uniqueArray(group, { minLength: 1 }),
      quorum: fc.integer({ min: 1, max: 4 }),
    } as const,
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(gate, wanted, (before, require) => {
      const after = gateUnderRule(before, rule(require));
      assert.equal(isStricterGate(before.kind, after.kind), false);
      assert.ok(after.quorum >= before.quorum && after.quorum >= (require.quorum ?? 1));
      assert.ok(before.groups.length === 0 || after.groups.length > 0, "who was asked in groups still is");
      if (require.approval === "forced") assert.equal(after.kind, "forced");
    }),
  );
});

test("windows of the route and of every rule in force must all be open, and no blackout may cover the day", () => {
  const at = (from: string, to: string) => ({ days: ["Mon-Sun"], from, to, timezone: "UTC" });
  const route = {
    window: { value: { allOf: [[at("08:00", "12:00")]], blackouts: [] }, from: { layer: "matrix" as const } },
  };
  const rules = [
    rule({ windows: [at("10:00", "18:00")] }),
    rule({ blackouts: [{ from: "2026-12-24", to: "2026-12-26", timezone: "UTC" }] }),
    rule({ quorum: 2 }),
  ];
  const held = windowUnderRules(route, rules, plan([]));
  const open = (text: string) => isWindowOpen(held, new Date(text));
  assert.equal(open("2026-12-01T11:00:00Z"), true);
  assert.equal(open("2026-12-01T09:00:00Z"), false);
  assert.equal(open("2026-12-01T13:00:00Z"), false);
  assert.equal(open("2026-12-24T11:00:00Z"), false);
  assert.equal(windowUnderRules({}, [rule({ quorum: 2 })], plan([])), undefined);
  assert.equal(isWindowOpen(windowUnderRules({}, rules, plan([])), new Date("2026-12-01T13:00:00Z")), true);
});
