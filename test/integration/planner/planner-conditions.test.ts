import assert from "node:assert/strict";
import { test } from "node:test";
import type { ChangeSet } from "@xcloudflow/model/change-set";
import { hasTrueDigest } from "@xcloudflow/model/change-set-digest";
import type { ResourceChange, UnitPlan } from "@xcloudflow/model/unit-plan";
import { makeRepository } from "./git-fixture-cli.ts";
import { composition, document, environment, shopFiles } from "./monorepo-fixture.ts";
import { makePlanner, type PlannerFixture } from "./planner-fixture.ts";

const UNITS = ["network", "payments", "shop"];
const WEB = "dev/shop/web";
const WHEN_DELETED = {
  match: { compositions: ["shop"] },
  when: { resourceTypes: ["aws_db_instance"], actions: ["delete"] },
  require: { approval: "forced", groups: ["dba"], quorum: 2 },
};

function change(type: string, action: "create" | "update" | "delete"): ResourceChange {
  return {
    address: `${type}.this`,
    type,
    actions: action === "create" ? ["create"] : action === "update" ? ["update"] : ["delete"],
    before: null,
    after: null,
    unknown: {},
    sensitive: {},
    replacePaths: [],
  };
}

function deleting(plan: UnitPlan): UnitPlan {
  return { ...plan, changes: [change("aws_db_instance", "delete")] };
}

function costing(amounts: Readonly<Record<string, string>>, currency = "USD"): (plan: UnitPlan) => UnitPlan {
  return (plan) => {
    const monthlyDelta = amounts[plan.address];
    return monthlyDelta === undefined ? plan : { ...plan, cost: { monthlyDelta, currency } };
  };
}

async function assembleShop(
  files: Readonly<Record<string, string>>,
  change: (plan: UnitPlan) => UnitPlan = (plan) => plan,
): Promise<ChangeSet> {
  using repository = makeRepository();
  using planner = makePlanner();
  repository.commit({ ...shopFiles(), ...files });
  return planner.assemble(await planner.compile({ repository: repository.directory }), change);
}

function approvals(changeSet: ChangeSet, unit: string) {
  return changeSet.gates.flatMap((gate) =>
    gate.kind === "approval" && gate.units.includes(unit) ? [[gate.groups, gate.quorum, gate.reasons] as const] : [],
  );
}

test("a rule with `when` asks only where a plan is what it waits for, and says which rule and where", async () => {
  const files = { "policies/dba.yaml": document("ApprovalRule", "deletions", WHEN_DELETED) };
  assert.deepEqual(approvals(await assembleShop(files), WEB), []);
  const changeSet = await assembleShop(files, deleting);
  assert.deepEqual(approvals(changeSet, WEB), [
    [["dba"], 2, ['the approval rule "deletions" asks for it (policies/dba.yaml:13:5)']],
  ]);
  assert.deepEqual(
    approvals(changeSet, "dev/payments/db"),
    [],
    "the plan of another composition is none of the rule's business",
  );
  assert.ok(hasTrueDigest(changeSet));
});

test("two rules in force are two gates, so that one cannot replace whom the other asks", async () => {
  const other = { ...WHEN_DELETED, require: { approval: "forced", groups: ["security"] } };
  const changeSet = await assembleShop(
    {
      "policies/a.yaml": document("ApprovalRule", "deletions", WHEN_DELETED),
      "policies/b.yaml": document("ApprovalRule", "deletions-too", other),
    },
    deleting,
  );
  assert.deepEqual(
    approvals(changeSet, WEB).map(([groups, quorum]) => [groups, quorum]),
    [
      [["dba"], 2],
      [["security"], 1],
    ],
  );
});

test("the windows of a rule in force are on the gate", async () => {
  const window = { days: ["Sat"], from: "02:00", to: "04:00" };
  const rule = { ...WHEN_DELETED, require: { windows: [window] } };
  const files = { "policies/w.yaml": document("ApprovalRule", "at-night", rule) };
  const windows = (changeSet: ChangeSet) => changeSet.gates.filter(({ kind }) => kind === "window");
  assert.deepEqual(windows(await assembleShop(files)), []);
  assert.deepEqual(windows(await assembleShop(files, deleting)), [
    { kind: "window", units: [WEB], window: "Sat 02:00–04:00 UTC" },
  ]);
});

test("a rule waits for a cost above its limit, and not where nobody has estimated one", async () => {
  const rule = { when: { monthlyCostAbove: 100 }, require: { approval: "forced", groups: ["finops"] } };
  const files = { "policies/cost.yaml": document("ApprovalRule", "expensive", rule) };
  assert.deepEqual(approvals(await assembleShop(files), WEB), []);
  assert.deepEqual(approvals(await assembleShop(files, costing({ [WEB]: "100.00" })), WEB), []);
  assert.deepEqual(
    approvals(await assembleShop(files, costing({ [WEB]: "100.01" })), WEB).map(([groups]) => groups),
    [["finops"]],
  );
});

const BUDGET = { match: { compositions: ["payments", "shop"] }, monthly: 100 };
const OVER = costing({ "dev/payments/db": "60", [WEB]: "40.01", "dev/network/vpc": "1000" });
const MESSAGE = '100.01 USD a month is more than the 100 USD of the budget "team" (policies/budget.yaml:14:5)';

test("an exceeded budget denies, asks or warns as it says, and lets what is within it pass", async () => {
  const budget = (onExceed: string) => ({
    "policies/budget.yaml": document("Budget", "team", { ...BUDGET, onExceed }),
  });
  const denied = await assembleShop(budget("deny"), OVER);
  assert.equal(denied.policy.verdict, "deny");
  assert.deepEqual(
    denied.policy.denials.map(({ namespace, rule, message }) => [namespace, rule, message]),
    [["budget", "team", MESSAGE]],
  );
  const asked = await assembleShop(budget("require-approval"), OVER);
  assert.equal(asked.policy.verdict, "allow");
  for (const unit of ["dev/payments/db", WEB])
    assert.ok(
      approvals(asked, unit).some(([, , reasons]) => reasons.includes(MESSAGE)),
      unit,
    );
  assert.deepEqual(
    asked.gates.flatMap(({ units }) => units).sort(),
    ["dev/network/vpc", "dev/payments/db", WEB],
    "what the budget is not about is asked for its own reasons only",
  );
  const warned = await assembleShop(budget("warn"), OVER);
  assert.deepEqual(
    warned.policy.warnings.map(({ message }) => message),
    [MESSAGE],
  );
  assert.deepEqual(approvals(warned, WEB), []);
  const within = await assembleShop(budget("deny"), costing({ "dev/payments/db": "60", [WEB]: "40" }));
  assert.deepEqual([within.policy.verdict, within.policy.warnings], ["allow", []]);
});

test("a budget looks at the total where it is known, and never holds back what saves", async () => {
  const files = { "policies/budget.yaml": document("Budget", "team", { ...BUDGET, onExceed: "deny" }) };
  const total = (monthlyDelta: string) => (plan: UnitPlan) => ({
    ...plan,
    cost: { monthlyDelta, monthlyTotal: "80", currency: "USD" },
  });
  assert.equal((await assembleShop(files, total("1"))).policy.verdict, "deny");
  assert.equal((await assembleShop(files, total("-1"))).policy.verdict, "allow");
});

test("costs that nobody knows are warned of once, by all budgets together", async () => {
  const changeSet = await assembleShop(
    {
      "policies/budget.yaml": document("Budget", "team", { ...BUDGET, onExceed: "deny" }),
      "envs/dev/environment.yaml": environment("dev", "development", UNITS, {
        budget: { monthly: 1, currency: "EUR" },
      }),
    },
    costing({ "dev/payments/db": "5" }),
  );
  assert.equal(changeSet.policy.verdict, "allow");
  assert.deepEqual(
    changeSet.policy.warnings.map(({ namespace, rule, message }) => [namespace, rule, message]),
    [
      [
        "budget",
        "cost-unknown",
        'nobody has estimated the cost of dev/network/vpc, dev/payments/db, dev/shop/web: the budgets "team", "environment dev" judge without',
      ],
    ],
  );
});

test("a unit whose plan changes nothing costs no approval and is not missed by a budget", async () => {
  const { gates, policy } = await assembleShop(
    {
      "policies/budget.yaml": document("Budget", "team", BUDGET),
      "policies/dba.yaml": document("ApprovalRule", "any", { when: {}, require: { approval: "forced" } }),
    },
    (plan) => ({ ...plan, status: "unchanged" }),
  );
  assert.deepEqual([gates, policy.warnings], [[], []]);
});

/** A governing commit with a rule about team payments and a budget, and a proposal on top of it. */
async function propose(
  planner: PlannerFixture,
  proposal: Readonly<Record<string, string | null>>,
  plan: (plan: UnitPlan) => UnitPlan,
): Promise<ChangeSet> {
  using repository = makeRepository();
  const rule = { ...WHEN_DELETED, match: { labels: { team: "payments" } } };
  const labelled = JSON.parse(
    composition("shop", "Application", [{ name: "web", ref: "modules/web", inputs: { url: "u" } }]),
  );
  labelled.metadata.labels = { team: "payments" };
  const governing = repository.commit({
    ...shopFiles(),
    "compositions/shop.yaml": JSON.stringify(labelled),
    "policies/dba.yaml": document("ApprovalRule", "deletions", rule),
    "policies/budget.yaml": document("Budget", "team", { ...BUDGET, onExceed: "deny" }),
  });
  planner.apply(await planner.compile({ repository: repository.directory }));
  repository.commit(proposal);
  const compilation = await planner.compile({ repository: repository.directory, governanceCommit: governing });
  return planner.assemble(compilation, plan);
}

const ESCAPES: Readonly<Record<string, Readonly<Record<string, string | null>>>> = {
  "removing the rule": { "policies/dba.yaml": null, "modules/web/main.tf": 'variable "url" {}\n# other\n' },
  "relabelling the unit": {
    "compositions/shop.yaml": composition("shop", "Application", [
      { name: "web", ref: "modules/web", inputs: { url: "v" } },
    ]),
  },
  "removing the unit": {
    "envs/dev/environment.yaml": environment("dev", "development", ["network", "payments"]),
    "compositions/shop.yaml": null,
  },
};

for (const [name, proposal] of Object.entries(ESCAPES)) {
  test(`${name} does not get past the rule that governs`, async () => {
    using planner = makePlanner();
    const changeSet = await propose(planner, proposal, deleting);
    assert.ok(
      approvals(changeSet, WEB).some(
        ([groups, quorum, reasons]) =>
          groups.join() === "dba" && quorum === 2 && reasons.some((reason) => reason.includes('"deletions"')),
      ),
      JSON.stringify(changeSet.gates),
    );
  });
}

test("raising a budget is judged by the budget that governs", async () => {
  using planner = makePlanner();
  const changeSet = await propose(
    planner,
    {
      "policies/budget.yaml": document("Budget", "team", { ...BUDGET, monthly: 10_000, onExceed: "deny" }),
      "modules/web/main.tf": 'variable "url" {}\n# other\n',
    },
    costing({ [WEB]: "200" }),
  );
  assert.equal(changeSet.policy.verdict, "deny");
});

test("an approval is stale once a rule or budget says something else about what was approved, and not before", async () => {
  using repository = makeRepository();
  using planner = makePlanner();
  const rule = (spec: object) => ({ "policies/dba.yaml": document("ApprovalRule", "deletions", spec) });
  repository.commit({ ...shopFiles(), ...rule(WHEN_DELETED) });
  const changeSet = await planner.assemble(await planner.compile({ repository: repository.directory }), (plan) => ({
    ...plan,
    changes: [change("aws_db_instance", "update")],
  }));
  const freshness = () => planner.freshness(changeSet, repository.directory);
  const governed = async () => (await freshness()).filter((what) => what === "governance");
  repository.commit(rule({ ...WHEN_DELETED, require: { approval: "forced", quorum: 5 } }));
  assert.deepEqual(await governed(), [], "it still does not speak about updates");
  repository.commit(rule({ ...WHEN_DELETED, when: { actions: ["update"] } }));
  assert.deepEqual(await governed(), ["governance"]);
  repository.commit(rule(WHEN_DELETED));
  assert.deepEqual(await freshness(), []);
  repository.commit({ "policies/budget.yaml": document("Budget", "team", BUDGET) });
  assert.deepEqual(await governed(), ["governance"]);
});
