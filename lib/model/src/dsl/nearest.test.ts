import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { editDistance, nearestName, suggest } from "./nearest.ts";

describe("edit distance", () => {
  const cases: readonly [string, string, number][] = [
    ["", "", 0],
    ["a", "", 1],
    ["kitten", "sitting", 3],
    ["ab", "ba", 1],
    ["lifecyle", "lifecycle", 1],
    ["abcdef", "badcfe", 3],
  ];
  for (const [a, b, distance] of cases)
    test(`${a} → ${b}: ${distance}`, () => assert.equal(editDistance(a, b, 10), distance));

  test("is the same both ways, zero for the same, and never more than the limit and one", () => {
    const word = fc.string({ maxLength: 8 });
    fc.assert(
      fc.property(word, word, fc.nat({ max: 9 }), (a, b, limit) => {
        assert.equal(editDistance(a, a, limit), 0);
        assert.equal(editDistance(a, b, limit), editDistance(b, a, limit));
        assert.equal(editDistance(a, b, limit), Math.min(editDistance(a, b, 20), limit + 1));
      }),
    );
  });
});

describe("the nearest name", () => {
  const names = ["terraform", "pulumi", "provider", "playbook", "kubernetes"];
  const cases: readonly [string, string | undefined][] = [
    ["terrafrom", "terraform"],
    ["Terraform", "terraform"],
    ["kubernets", "kubernetes"],
    ["play-book", "playbook"],
    ["ansible", undefined],
    ["x", undefined],
    ["", undefined],
  ];
  for (const [typed, meant] of cases)
    test(`${JSON.stringify(typed)}: ${meant ?? "none"}`, () => assert.equal(nearestName(typed, names), meant));

  test("is offered, else the list, shortened", () => {
    assert.equal(suggest("terrafrom", names), 'did you mean "terraform"?');
    assert.equal(suggest("zzz", names), "allowed: terraform, pulumi, provider, playbook, kubernetes");
    const many = Array.from({ length: 30 }, (_, index) => `name${index}`);
    assert.match(suggest("zzz", many), /, name19, …$/);
  });
});
