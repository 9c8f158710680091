import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { EngineStateInvalidError } from "./state-errors.ts";
import { createStateHeaderReader, type StateHeader } from "./state-header.ts";

function read(text: string, pieceBytes = 7): StateHeader {
  const reader = createStateHeaderReader();
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += pieceBytes) reader.push(bytes.subarray(at, at + pieceBytes));
  return reader.end();
}

test("serial and lineage are found wherever they stand, however the bytes are cut", () => {
  fc.assert(
    fc.property(
      fc.jsonValue({ maxDepth: 4 }),
      fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }),
      fc.string({ unit: "grapheme", maxLength: 80 }),
      fc.integer({ min: 1, max: 64 }),
      fc.constantFrom(0, 2),
      (rest, serial, lineage, piece, indent) => {
        const decoy = { serial: 1, lineage: "decoy", rest, text: '{"serial": 9, "lineage": "x"}\\' };
        const text = JSON.stringify(
          {
            version: 4,
            outputs: decoy,
            serial: JSON.rawJSON(String(serial)),
            list: [decoy],
            lineage,
            resources: [rest],
          },
          null,
          indent,
        );
        assert.deepEqual(read(text, piece), { serial, lineage });
      },
    ),
  );
});

test("a state as terraform writes it is read", () => {
  const text =
    '{\n  "version": 4,\n  "terraform_version": "1.11.4",\n  "serial": 12,\n  "lineage": "ab-cd",\n  "outputs": {},\n  "resources": [],\n  "check_results": null\n}\n';
  assert.deepEqual(read(text), { serial: 12n, lineage: "ab-cd" });
});

test("a state cut off anywhere is refused", () => {
  const text = '{"version":4,"serial":12,"lineage":"ab","resources":[{"a":"}"}]}';
  for (let end = 0; end < text.length; end++)
    assert.throws(() => read(text.slice(0, end)), EngineStateInvalidError, text.slice(0, end));
});

const WRONG = [
  "[]",
  "null",
  '"x"',
  "{}",
  '{"serial":1}',
  '{"lineage":"x"}',
  '{"serial":"1","lineage":"x"}',
  '{"serial":-1,"lineage":"x"}',
  '{"serial":1.5,"lineage":"x"}',
  '{"serial":9223372036854775808,"lineage":"x"}',
  '{"serial":1,"lineage":5}',
  '{"serial":{},"lineage":"x"}',
  '{"serial":1,"lineage":"x"]',
  '{"serial":1,"lineage":"x"}{}',
  '{"serial":1,"lineage":"x"} x',
  `{"serial":1,"lineage":"${"x".repeat(600)}"}`,
];
for (const text of WRONG) {
  test(`${text.slice(0, 50)} is no state`, () => {
    assert.throws(() => read(text), EngineStateInvalidError);
  });
}

test("a hostile depth is refused, not followed", () => {
  assert.throws(() => read(`{"a":${"[".repeat(20_000)}`, 4096), EngineStateInvalidError);
});
