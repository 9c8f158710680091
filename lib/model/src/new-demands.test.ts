import assert from "node:assert/strict";
import { test } from "node:test";
import type { Gate } from "./change-set.ts";
import type { Governance } from "./compilation.ts";
import { newDemands } from "./new-demands.ts";
import type { PlanRule } from "./plan-condition.ts";
import { decideRoute } from "./route-layers.ts";
import type { ChangeActions, UnitPlan } from "./unit-plan.ts";

const UNIT = "prod/shop/db";
const { route } = decideRoute({ address: UNIT, lifecycle: { value: "Application", at: "c.yaml:4:3" }, layers: [] });

function rule(require: PlanRule["require"]): PlanRule {
  return {
    kind: "approvalRule",
    name: "r",
    at: "policies/r.yaml:4:3",
    units: [UNIT],
    when: { actions: ["update"] },
    require,
  };
}

function governance(conditions: PlanRule[], tier: Governance["tier"] = "development"): Governance {
  return {
    commit: "",
    governingDigest: "g",
    proposedDigest: "g",
    policyRevisions: ["r"],
    changes: [],
    approvals: { groups: [], quorum: 1, selfApproval: false, declared: false },
    tier,
    concurrency: 2,
    conditions,
  };
}

function plan(actions: ChangeActions): UnitPlan {
  return {
    address: UNIT,
    status: "planned",
    engine: "terraform",
    engineVersion: "1.11.0",
    destroy: false,
    summary: { create: 0, update: 0, replace: 0, delete: 0, noop: 0 },
    changes: [
      {
        address: "x.y",
        type: "x",
        actions,
        before: null,
        after: null,
        unknown: {},
        sensitive: {},
        replacePaths: [],
      },
    ],
    drift: [],
    outputs: {},
    locks: {},
    prior: { serial: 0, lineage: "" },
    hazards: [],
  };
}

const REPLACE: ChangeActions = ["delete", "create"];
const REASON = 'the approval rule "r" asks for it (policies/r.yaml:4:3)';

function demands(
  approved: ChangeActions,
  real: ChangeActions,
  conditions: PlanRule[],
  {
    gates = [],
    tightenings = [],
    tier,
  }: {
    gates?: Gate[];
    tightenings?: { unit: string; gate: string; reason: string }[];
    tier?: Governance["tier"];
  } = {},
): string[] {
  return newDemands(
    { governance: governance(conditions, tier), gates },
    { ...plan(approved), route },
    plan(real),
    tightenings,
  );
}

test("a rule that only the real plan brings into force is new, one that held before is not", () => {
  const forced = rule({ approval: "forced" });
  assert.deepEqual(demands(REPLACE, ["update"], [forced]), [REASON]);
  assert.deepEqual(demands(["update"], ["update"], [forced]), []);
  assert.deepEqual(demands(REPLACE, ["no-op"], [forced]), []);
});

test("a rule that asks nobody is no demand, unless it brings a window of its own", () => {
  const window = { days: ["Sat"], from: "02:00", to: "04:00", timezone: "UTC" };
  assert.deepEqual(demands(REPLACE, ["update"], [rule({ quorum: 3 })]), []);
  assert.deepEqual(demands(REPLACE, ["update"], [rule({ approval: "environment" })]), []);
  assert.deepEqual(demands(REPLACE, ["update"], [rule({ approval: "environment" })], { tier: "production" }), [REASON]);
  assert.deepEqual(demands(REPLACE, ["update"], [rule({ windows: [window] })]), [REASON]);
});

test("a policy's word is new unless a gate of this unit has said it", () => {
  const said = (unit: string, gate = "forced") => [{ unit, gate, reason: "opens a port" }];
  const seen = (unit: string): Gate[] => [
    {
      kind: "approval",
      units: [unit],
      groups: [],
      quorum: 1,
      reasons: ["policy asks for it: opens a port"],
      selfApproval: false,
    },
  ];
  const sentence = ["policy asks for it: opens a port"];
  const ask = (options: Parameters<typeof demands>[3]) => demands(["update"], ["update"], [], options);
  assert.deepEqual(ask({ tightenings: said(UNIT) }), sentence);
  assert.deepEqual(ask({ tightenings: said("") }), sentence);
  assert.deepEqual(ask({ tightenings: said("prod/shop/web") }), []);
  assert.deepEqual(ask({ tightenings: said(UNIT), gates: seen(UNIT) }), []);
  assert.deepEqual(ask({ tightenings: said(UNIT), gates: seen("prod/shop/web") }), sentence);
  assert.deepEqual(ask({ tightenings: said(UNIT, "environment") }), []);
  assert.deepEqual(ask({ tightenings: said(UNIT, "environment"), tier: "production" }), sentence);
});
