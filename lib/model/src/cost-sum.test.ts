import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { sumCosts } from "./cost-sum.ts";
import { compareDecimals, decimalOf, formatDecimal } from "./decimal.ts";

test("amounts add up exactly, to the cent and below", () => {
  fc.assert(
    fc.property(fc.array(fc.bigInt({ min: -(10n ** 20n), max: 10n ** 20n }), { minLength: 1 }), (milli) => {
      const parts = milli.map((units) => ({ amount: formatDecimal({ units, scale: 3 }), currency: "EUR" }));
      const sum = sumCosts(parts);
      assert.ok(sum.kind === "sum");
      const total = milli.reduce((all, next) => all + next, 0n);
      assert.equal(compareDecimals(sum.amount, { units: total, scale: 3 }), 0);
    }),
  );
});

test("nothing has no sum, and neither have two currencies or what is no amount", () => {
  assert.equal(sumCosts([]).kind, "none");
  const euro = { amount: "1", currency: "EUR" };
  assert.equal(sumCosts([euro, { amount: "1", currency: "USD" }]).kind, "incomparable");
  assert.equal(sumCosts([euro, { amount: "1e3", currency: "EUR" }]).kind, "incomparable");
});

test("limits are read as they are written", () => {
  for (const [limit, text] of [
    [5000, "5000"],
    [0.1, "0.1"],
    [1e-7, "0.00000010000000000000"],
    [Number.MAX_SAFE_INTEGER, "9007199254740991"],
  ] as const)
    assert.equal(formatDecimal(decimalOf(limit)), text);
});
