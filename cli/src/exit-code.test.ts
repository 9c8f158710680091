import assert from "node:assert/strict";
import { test } from "node:test";
import { CodedError, type ErrorCategory } from "@xcloudflow/model/coded-error";
import { exitCodeOf } from "./exit-code.ts";

/** The documented table: whatever is not listed is 1. */
const TABLE: Readonly<Record<ErrorCategory, number>> = {
  invalid: 5,
  notFound: 5,
  waiting: 3,
  denied: 4,
  stale: 6,
  alreadyExists: 1,
  unauthenticated: 1,
  forbidden: 1,
  conflict: 1,
  exhausted: 1,
  unavailable: 1,
  timeout: 1,
  canceled: 1,
  dataLoss: 1,
  internal: 1,
};

class TestProblemError extends CodedError {}

for (const [category, code] of Object.entries(TABLE)) {
  test(`an error of category ${category} ends with ${code}`, () => {
    const known = Object.keys(TABLE).find((name): name is ErrorCategory => name === category) ?? assert.fail();
    assert.equal(exitCodeOf(new TestProblemError("TEST", known, { what: "it went wrong" })), code);
  });
}

test("an error that nobody expected ends with 1", () => {
  assert.equal(exitCodeOf(new TypeError("x is not a function")), 1);
  assert.equal(exitCodeOf("text"), 1);
});
