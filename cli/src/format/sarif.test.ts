import assert from "node:assert/strict";
import { test } from "node:test";
import type { Problem } from "@xcloudflow/model/dsl/problem";
import { problemsAsSarif, sarifSchema } from "./sarif.ts";

const problem: Problem = {
  file: "compositions/shop.yaml",
  line: 3,
  col: 5,
  code: "KEY_UNKNOWN",
  message: 'there is no key "modles"',
  hint: 'did you mean "modules"?',
  severity: "error",
};

test("problems become results at their places, rules once each", () => {
  const other: Problem = { ...problem, line: 9, endLine: 9, endCol: 12, hint: "", severity: "warning" };
  const sarif = sarifSchema.parse(problemsAsSarif([problem, other, { ...problem, code: "A_FIRST" }], "1.2.3"));
  const [run] = sarif.runs;
  assert.deepEqual(run.tool.driver.rules, [{ id: "A_FIRST" }, { id: "KEY_UNKNOWN" }]);
  assert.deepEqual(
    run.results.map(({ level }) => level),
    ["error", "warning", "error"],
  );
  assert.equal(run.results[0]?.message.text, 'there is no key "modles" — did you mean "modules"?');
  assert.deepEqual(run.results[1]?.locations[0].physicalLocation, {
    artifactLocation: { uri: "compositions/shop.yaml" },
    region: { startLine: 9, startColumn: 5, endLine: 9, endColumn: 12 },
  });
});

test("no problems are a run without results, which closes old alerts", () => {
  assert.deepEqual(sarifSchema.parse(problemsAsSarif([], "1.2.3")).runs[0].results, []);
});
