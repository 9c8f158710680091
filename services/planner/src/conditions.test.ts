import assert from "node:assert/strict";
import { test } from "node:test";
import { compileMonorepo } from "@xcloudflow/model/dsl/monorepo";
import type { Monorepo } from "@xcloudflow/model/dsl/monorepo-index";
import type { SelectedUnit } from "@xcloudflow/model/dsl/selection";
import { collectConditions, type DescribedUnit } from "./conditions.ts";

function read(policies: string, budget = ""): Monorepo {
  const files = new Map([
    [
      "envs/prod/environment.yaml",
      `kind: Environment\nmetadata: {name: prod}\nspec:\n  tier: production\n  compositions: []\n${budget}`,
    ],
    ["policies/rules.yaml", policies],
  ]);
  const { monorepo, problems } = compileMonorepo(files);
  assert.deepEqual(problems, []);
  return monorepo;
}

function unit(module: string, ...descriptions: readonly Partial<SelectedUnit>[]): DescribedUnit {
  const usual: SelectedUnit = {
    environment: "prod",
    tier: "production",
    lifecycle: "Platform",
    changeFrequency: "medium",
    composition: "shop",
    module,
    engine: "terraform",
    owner: undefined,
    labels: {},
  };
  return {
    address: `prod/shop/${module}`,
    descriptions: (descriptions.length === 0 ? [{}] : descriptions).map((description) => ({
      ...usual,
      ...description,
    })),
    forgotten: false,
  };
}

const RULE = `kind: ApprovalRule
metadata: {name: deletions}
spec:
  match: {labels: {team: payments}}
  when: {actions: [delete]}
  require: {approval: forced}
`;

function collect(sides: readonly Monorepo[], ...units: readonly DescribedUnit[]) {
  return collectConditions(sides, "prod", () => units);
}

test("a rule with `when` is carried with its place and the units it is about, one without is not", () => {
  const rules = read(`${RULE}---\nkind: ApprovalRule\nmetadata: {name: always}\nspec: {require: {quorum: 2}}\n`);
  assert.deepEqual(collect([rules], unit("a", { labels: { team: "payments" } }), unit("b")), [
    {
      kind: "approvalRule",
      name: "deletions",
      at: "policies/rules.yaml:5:3",
      units: ["prod/shop/a"],
      when: { actions: ["delete"] },
      require: { approval: "forced" },
    },
  ]);
});

test("a unit that a proposal relabels is still meant", () => {
  const relabelled = unit("a", { labels: { team: "payments" } }, { labels: { team: "other" } });
  assert.deepEqual(collect([read(RULE)], relabelled)[0]?.units, ["prod/shop/a"]);
});

test("what is not known of a unit that is gone counts for a rule and not for a budget", () => {
  const budget =
    "---\nkind: Budget\nmetadata: {name: payments}\nspec: {match: {labels: {team: payments}}, monthly: 10}\n";
  const gone = { ...unit("gone"), forgotten: true };
  assert.deepEqual(
    collect([read(RULE + budget)], gone).map(({ kind }) => kind),
    ["approvalRule"],
  );
});

test("rules of both commits hold, and one that only moved its line is there once", () => {
  const payments = unit("a", { labels: { team: "payments" } });
  const looser = RULE.replace("[delete]", "[create]");
  assert.deepEqual(
    collect([read(RULE), read(looser)], payments).map((condition) => "when" in condition && condition.when.actions),
    [["delete"], ["create"]],
  );
  const moved = collect([read(RULE), read(`# why\n${RULE}`)], payments);
  assert.deepEqual(
    moved.map(({ at }) => at),
    ["policies/rules.yaml:5:3"],
  );
});

test("the environment's budget is about all of its units, with a name that no document can have", () => {
  const environment = read("", "  budget: {monthly: 5000, currency: EUR, onExceed: deny}\n");
  assert.deepEqual(collect([environment], unit("b"), unit("a")), [
    {
      kind: "budget",
      name: "environment prod",
      at: "envs/prod/environment.yaml:6:3",
      units: ["prod/shop/a", "prod/shop/b"],
      monthly: 5000,
      currency: "EUR",
      onExceed: "deny",
    },
  ]);
});

test("units are not described where nothing asks for them", () => {
  assert.deepEqual(
    collectConditions([read("")], "prod", () => assert.fail("nobody asked")),
    [],
  );
});
