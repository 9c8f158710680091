import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { checkSubject, escapeSubjectToken, matchesSubject, unescapeSubjectToken } from "./bus-subject.ts";

test("any text survives as one subject token, and different texts stay different", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: "binary" }).filter((text) => text.isWellFormed()),
      (text) => {
        const token = escapeSubjectToken(text);
        assert.equal(unescapeSubjectToken(token), text);
        checkSubject(`xcf.${token}.end`);
        assert.equal(matchesSubject("xcf.*.end", `xcf.${token}.end`), true);
      },
    ),
  );
  assert.equal(escapeSubjectToken("prod/payments@eu/db"), "prod=2Fpayments=40eu=2Fdb");
});

test("patterns match like NATS", () => {
  const table: [string, string, boolean][] = [
    ["a.b", "a.b", true],
    ["a.b", "a.c", false],
    ["a.*", "a.b", true],
    ["a.*", "a", false],
    ["a.*", "a.b.c", false],
    ["*.b", "a.b", true],
    ["a.>", "a.b", true],
    ["a.>", "a.b.c", true],
    ["a.>", "a", false],
    [">", "a", true],
    ["a.*.>", "a.b", false],
    ["a.*.>", "a.b.c", true],
    ["a.b", "a.b.c", false],
  ];
  for (const [pattern, subject, expected] of table)
    assert.equal(matchesSubject(pattern, subject), expected, `${pattern} ~ ${subject}`);
});
