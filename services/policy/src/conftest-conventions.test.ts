import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { addChecks, judge } from "./conftest-conventions.ts";
import type { JudgingRule, Namespace } from "./rule-index.ts";

function namespaceOf(...rules: JudgingRule[]): Namespace {
  return { name: "main", ref: "data.main", rules, speaks: [] };
}
const deny: JudgingRule = { name: "deny", severity: "failure", definitions: 1 };
const named: JudgingRule = { name: "deny_run", severity: "failure", definitions: 2 };
const warn: JudgingRule = { name: "warn", severity: "warning", definitions: 1 };
const ask = (namespace: Namespace, found: Record<string, unknown>, waived: Record<string, unknown[]> = {}) =>
  judge(namespace, { found, waived, spoken: {} });

describe("judging a namespace", () => {
  test("reports strings and objects, with the query that found them", () => {
    const check = ask(namespaceOf(deny, warn), {
      deny: ["a", { msg: "b", k: 1, _loc: { file: "f", line: 3 } }],
      warn: ["w"],
    });
    assert.deepEqual(check.failures, [
      { rule: "deny", msg: "a", metadata: { query: "data.main.deny" } },
      { rule: "deny", msg: "b", loc: { file: "f", line: 3 }, metadata: { k: 1, query: "data.main.deny" } },
    ]);
    assert.deepEqual(
      check.warnings.map(({ msg }) => msg),
      ["w"],
    );
    assert.equal(check.successes, 0);
  });

  test("counts each definition without a finding as a success", () => {
    assert.equal(ask(namespaceOf(deny, named, warn), { deny: [], deny_run: ["x"] }).successes, 3);
  });

  test("takes a rule whose value is no set or array as passed", () => {
    for (const value of ["text", true, 7, null, { msg: "m" }]) {
      const check = ask(namespaceOf(deny), { deny: value });
      assert.deepEqual([check.failures, check.successes], [[], 1]);
    }
  });

  test("lets a waived rule's findings go and reports each exception", () => {
    const check = ask(namespaceOf(deny, named), { deny: ["a"], deny_run: ["b"] }, { deny_run: [1, 1] });
    assert.deepEqual(
      check.failures.map(({ msg }) => msg),
      ["a"],
    );
    assert.deepEqual(check.exceptions, [
      { msg: 'data.main.exception[_][_] == "run"' },
      { msg: 'data.main.exception[_][_] == "run"' },
    ]);
  });

  test("refuses an object without a message", () => {
    assert.throws(() => ask(namespaceOf(deny), { deny: [{ message: "x" }] }), { code: "POLICY_RESULT_INVALID" });
  });

  test("adds up the documents of a file", () => {
    const one = ask(namespaceOf(deny), { deny: ["a"] });
    const two = ask(namespaceOf(deny), { deny: [] });
    const sum = addChecks("main", [one, two]);
    assert.deepEqual([sum.failures.length, sum.successes], [1, 1]);
  });
});
