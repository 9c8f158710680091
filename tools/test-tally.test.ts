import assert from "node:assert/strict";
import { test } from "node:test";
import { describeSuite, describeTotals } from "./test-tally.ts";

const green = { name: "a.test.ts", passed: 3, failed: 0, skipped: ["needs opa", "needs opa"], seconds: 1 };
const red = { name: "b.test.ts", passed: 1, failed: 2, skipped: ["needs age"], seconds: 0.25 };

test("the last line sums passes and failures of every suite", () => {
  assert.equal(describeTotals([green, red]).at(-1), "4 passed, 2 failed");
  assert.equal(describeTotals([]).at(-1), "0 passed, 0 failed");
});

test("each reason to skip is told once, with its count", () => {
  assert.deepEqual(describeTotals([green, red]).slice(0, -1), ["skipped 1: needs age", "skipped 2: needs opa"]);
});

test("a suite with a failure is marked", () => {
  assert.equal(describeSuite(green), "ok   a.test.ts  3 passed, 2 skipped  1.0 s");
  assert.equal(describeSuite(red), "FAIL b.test.ts  1 passed, 2 failed, 1 skipped  0.3 s");
});
