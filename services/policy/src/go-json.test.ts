import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { formatGoNumber, printEs6Json, printGoJson } from "./go-json.ts";

describe("numbers as Go prints them by %g", () => {
  for (const [value, text] of [
    [0, "0"],
    [-0, "-0"],
    [65536, "65536"],
    [999999, "999999"],
    [1000000, "1e+06"],
    [1234567, "1.234567e+06"],
    [12345678.25, "1.234567825e+07"],
    [0.0001, "0.0001"],
    [0.00001, "1e-05"],
    [-1.5e-7, "-1.5e-07"],
    [1e21, "1e+21"],
    [1e100, "1e+100"],
  ] as const) {
    test(`${text}`, () => assert.equal(formatGoNumber(value), text));
  }

  test("are the same numbers", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) =>
        Object.is(Number(formatGoNumber(value)), value),
      ),
    );
  });
});

describe("printing", () => {
  test("gives JSON of the same value for whatever is JSON", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        // Read once, as inputs are; JSON.stringify has no negative zero, which the next test is about.
        const input: unknown = JSON.parse(JSON.stringify(value));
        assert.deepEqual(JSON.parse(printGoJson(input)), input);
        assert.deepEqual(JSON.parse(printEs6Json(input)), input);
      }),
    );
  });

  test("keeps a negative zero as Go does, and drops it where it passes through JSON again", () => {
    assert.equal(printGoJson({ at: -0 }), '{"at":-0}');
    assert.equal(printEs6Json({ at: -0 }), '{"at":0}');
  });

  test("takes any key of a Map for what it is", () => {
    assert.equal(printGoJson(new Map<string, unknown>([["__proto__", [1e6]]])), '{"__proto__":[1e+06]}');
  });
});
