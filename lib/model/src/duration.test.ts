import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { durationSchema, durationSeconds, formatDuration } from "./duration.ts";

describe("a duration", () => {
  const good: readonly [string, number][] = [
    ["90s", 90],
    ["15m", 900],
    ["6h", 21_600],
    ["1h30m", 5_400],
    ["7d", 604_800],
    ["2w", 1_209_600],
    ["1w2d3h4m5s", 788_645],
  ];
  for (const [text, seconds] of good) {
    test(`${text} is ${seconds} seconds`, () => {
      assert.equal(durationSeconds(text), seconds);
      assert.ok(durationSchema.safeParse(text).success);
    });
  }

  for (const text of ["", "h", "6", "6x", "30m1h", "1h1h", "-5m", "1.5h", " 5m", "5m ", "999999h", "0s", "0h0m"]) {
    test(`${JSON.stringify(text)} is refused`, () => assert.equal(durationSchema.safeParse(text).success, false));
  }

  test("is printed so that reading it gives the same length", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 8_000_000_000 }),
        (seconds) => durationSeconds(formatDuration(seconds)) === seconds,
      ),
    );
    assert.equal(formatDuration(21_600), "6h");
    assert.equal(formatDuration(5_400), "1h30m");
  });
});
