import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseVersionConstraint } from "./version-constraint.ts";

test("constraints hold as Terraform reads them", () => {
  const cases: readonly (readonly [constraint: string, holds: string, not: string])[] = [
    ["1.11.4", "1.11.4", "1.11.5"],
    [">=1.6", "1.6.0 1.12.6 2.0.0", "1.5.9 1.7.0-rc1"],
    [">= 1.6, < 2.0", "1.6.0 1.99.0", "2.0.0"],
    ["~> 1.8", "1.8.0 1.9.1", "2.0.0 1.7.9"],
    ["~> 1.8.1", "1.8.1 1.8.9", "1.9.0 1.8.0"],
    ["!= 1.9.0, > 1.8", "1.9.1", "1.9.0 1.8.0"],
    ["1.7.0-rc1", "1.7.0-rc1", "1.7.0"],
  ];
  for (const [text, good, bad] of cases) {
    for (const version of good.split(" ")) assert.equal(parseVersionConstraint(text)?.(version), true, text + version);
    for (const version of bad.split(" ")) assert.equal(parseVersionConstraint(text)?.(version), false, text + version);
  }
  for (const text of ["", "latest", ">=", "1.x", "=> 1.2", "1.2,"])
    assert.equal(parseVersionConstraint(text), undefined);
});

test("of two versions exactly one order holds", () => {
  const version = fc.tuple(fc.nat(3), fc.nat(3), fc.nat(3)).map((numbers) => numbers.join("."));
  fc.assert(
    fc.property(version, version, (a, b) => {
      const held = ["<", "=", ">"].filter((operator) => parseVersionConstraint(`${operator} ${b}`)?.(a));
      assert.equal(held.length, 1);
      assert.equal(parseVersionConstraint(`>= ${b}`)?.(a), held[0] !== "<");
    }),
  );
});
