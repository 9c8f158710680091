import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseJson } from "./parse-json.ts";

const space = fc.constantFrom("", " ", "\n", "\t");
const number = fc.oneof(
  fc.constantFrom(
    "0",
    "-0",
    "1.10",
    "1e5",
    "1E+5",
    "9007199254740993",
    "123456789012345",
    "12345678901234567890",
    "1.0",
  ),
  fc.integer().map(String),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
);
const leaf = fc.oneof(
  number,
  fc.string().map((text) => JSON.stringify(text)),
  fc.constantFrom("true", "null"),
);
const { json } = fc.letrec<{ json: string }>((tie) => ({
  json: fc.oneof(
    { depthSize: "small" },
    leaf,
    fc
      .tuple(space, fc.array(fc.tuple(space, tie("json"), space)))
      .map(([before, items]) => `[${before}${items.map((item) => item.join("")).join(",")}]`),
    fc
      .array(fc.tuple(fc.string(), space, tie("json"), space))
      .map(
        (members) =>
          `{${members.map(([key, before, value, after]) => `${JSON.stringify(key)}:${before}${value}${after}`).join(",")}}`,
      ),
  ),
}));

test("prints every number with the digits it was read with", () => {
  for (const text of ["9007199254740993", "[1.10,-0]", '{"a":1e5}', "[12345678901234567890]"]) {
    assert.equal(JSON.stringify(parseJson(text, "test")), text);
  }
});

test("says the same whether or not it looked at every number", () => {
  const keepDigits = (_key: string, value: unknown, context: { readonly source?: string }): unknown =>
    typeof value !== "number" || context.source === undefined || String(value) === context.source
      ? value
      : JSON.rawJSON(context.source);
  fc.assert(
    fc.property(json, (text) => {
      assert.equal(JSON.stringify(parseJson(text, "test")), JSON.stringify(JSON.parse(text, keepDigits)));
    }),
    { numRuns: 2_000 },
  );
});
