import assert from "node:assert/strict";
import { test } from "node:test";
import { as } from "@xcloudflow/chassis/caller";
import { changeSetSchema, type Gate } from "@xcloudflow/model/change-set";
import type { Compilation } from "@xcloudflow/model/compilation";
import { decodeDocument, encodeDocument } from "@xcloudflow/model/parse-json";
import type { UnitPlan } from "@xcloudflow/model/unit-plan";
import { makeRepository } from "./git-fixture-cli.ts";
import { composition, environment, shopFiles } from "./monorepo-fixture.ts";
import { CALLER, makePlanner, type PlannerFixture, planFor } from "./planner-fixture.ts";

const UNITS = ["network", "payments", "shop"];

async function gatesOf(
  tier: string,
  spec: Record<string, unknown> = {},
  plan: (plan: UnitPlan) => UnitPlan = (unchanged) => unchanged,
): Promise<Gate[]> {
  using repository = makeRepository();
  using planner = makePlanner();
  repository.commit({ ...shopFiles(), "envs/dev/environment.yaml": environment("dev", tier, UNITS, spec) });
  return (await planner.assemble(await planner.compile({ repository: repository.directory }), plan)).gates;
}

function asked(gates: readonly Gate[]): (readonly [string[], string[], number, boolean])[] {
  return gates.flatMap((gate) =>
    gate.kind === "approval" ? [[gate.units, gate.groups, gate.quorum, gate.selfApproval] as const] : [],
  );
}

test("in development only Foundation asks, and nobody may approve alone", async () => {
  assert.deepEqual(asked(await gatesOf("development")), [[["dev/network/vpc"], [], 1, false]]);
});

test("in production the environment's gate asks too", async () => {
  assert.deepEqual(asked(await gatesOf("production")), [[["dev/network/vpc", "dev/payments/db"], [], 1, false]]);
});

test("where approvals are declared the environment's gate asks in any tier, with its groups and quorum", async () => {
  const gates = await gatesOf("staging", { approvals: { groups: ["leads", "dba"], quorum: 2 } });
  assert.deepEqual(asked(gates), [[["dev/network/vpc", "dev/payments/db"], ["dba", "leads"], 2, false]]);
});

test("self-approval is on the gate where development declares it, and the gate stays", async () => {
  assert.deepEqual(asked(await gatesOf("development", { approvals: { selfApproval: true } })), [
    [["dev/network/vpc", "dev/payments/db"], [], 1, true],
  ]);
  assert.deepEqual(asked(await gatesOf("staging", { approvals: { selfApproval: true } })), [
    [["dev/network/vpc", "dev/payments/db"], [], 1, false],
  ]);
});

test("a unit whose plan changes nothing asks nobody", async () => {
  assert.deepEqual(await gatesOf("production", {}, (plan) => ({ ...plan, status: "unchanged" })), []);
});

test("windows become gates, one for each distinct window", async () => {
  const gates = await gatesOf("production", { windows: [{ days: ["Mon-Thu"], from: "22:00", to: "05:00" }] });
  assert.deepEqual(
    gates.filter(({ kind }) => kind === "window"),
    [{ kind: "window", units: ["dev/network/vpc", "dev/payments/db"], window: "Mon-Thu 22:00–05:00 UTC" }],
  );
});

async function assembleWith(
  planner: PlannerFixture,
  compilation: Compilation,
  tightenings: readonly object[],
): Promise<Gate[]> {
  const { changeSetDocument } = await planner.clients.planner.assemble(
    {
      changeSetId: "cs_1",
      compilationDocument: encodeDocument(compilation),
      unitPlanDocuments: compilation.units
        .filter(({ selected }) => selected)
        .map((unit) => encodeDocument(planFor(unit))),
      policyDocument: encodeDocument({
        verdict: { verdict: "allow", denials: [], warnings: [], revision: "r" },
        tightenings,
      }),
      author: "a",
      originDocument: encodeDocument({ kind: "manual" }),
      createdAt: "2026-01-01T00:00:00Z",
      expiresAt: "2026-01-08T00:00:00Z",
    },
    as(CALLER),
  );
  return decodeDocument(changeSetSchema, changeSetDocument, "ChangeSet").gates;
}

test("policy adds gates, for one unit or all, and never takes one away", async () => {
  using repository = makeRepository();
  using planner = makePlanner();
  repository.commit(shopFiles());
  const compilation = await planner.compile({ repository: repository.directory });
  const before = asked(await assembleWith(planner, compilation, []));
  const one = await assembleWith(planner, compilation, [
    { unit: "dev/shop/web", gate: "forced", groups: ["security"], quorum: 0, reason: "public" },
  ]);
  assert.deepEqual(asked(one), [
    [["dev/shop/web"], ["security"], 1, false],
    [["dev/network/vpc"], [], 1, false],
  ]);
  const all = await assembleWith(planner, compilation, [
    { unit: "", gate: "forced", groups: [], quorum: 3, reason: "" },
  ]);
  assert.deepEqual(asked(all), [...before, [["dev/network/vpc", "dev/payments/db", "dev/shop/web"], [], 3, false]]);
  const elsewhere = await assembleWith(planner, compilation, [
    { unit: "dev/shop/web", gate: "environment", groups: [], quorum: 0, reason: "" },
  ]);
  assert.deepEqual(asked(elsewhere), before, "an environment's gate asks nobody in development");
});

test("costs add up exactly, and plans that are not those of the selected units are refused", async () => {
  using repository = makeRepository();
  using planner = makePlanner();
  repository.commit(shopFiles());
  const compilation = await planner.compile({ repository: repository.directory });
  const costs = ["0.1", "0.2", "-12.345"];
  const { cost } = await planner.assemble(compilation, (plan) => ({
    ...plan,
    cost: { monthlyDelta: costs.shift() ?? "0", currency: "EUR" },
  }));
  assert.deepEqual(cost, { monthlyDelta: "-12.045", currency: "EUR" });
  const mixed = ["USD", "EUR", "EUR"];
  await assert.rejects(
    planner.assemble(compilation, (plan) => ({
      ...plan,
      cost: { monthlyDelta: "1", currency: mixed.shift() ?? "EUR" },
    })),
    { code: "COSTS_INCOMPARABLE" },
  );
  await assert.rejects(
    planner.assemble(compilation, (plan) => ({ ...plan, address: "dev/shop/other" })),
    { code: "UNIT_PLANS_MISMATCHED" },
  );
  await assert.rejects(
    planner.assemble(compilation, (plan) => ({ ...plan, destroy: true })),
    { code: "UNIT_PLANS_MISMATCHED" },
  );
});

test("a unit's own approval rule makes a gate of its own", async () => {
  using repository = makeRepository();
  using planner = makePlanner();
  repository.commit({
    ...shopFiles(),
    "compositions/shop.yaml": composition(
      "shop",
      "Application",
      [{ name: "web", ref: "modules/web", inputs: { url: "u" } }],
      { approvalPolicy: { kind: "forced", groups: ["web"], quorum: 2 } },
    ),
  });
  const { gates } = await planner.assemble(await planner.compile({ repository: repository.directory }));
  assert.deepEqual(
    asked(gates).toSorted(),
    [
      [["dev/network/vpc"], [], 1, false],
      [["dev/shop/web"], ["web"], 2, false],
    ].toSorted(),
  );
});
