import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { isMap, isScalar, isSeq, type Node, type Pair, parseAllDocuments, stringify } from "yaml";
import { readYaml } from "./yaml-values.ts";

/** Two parsers of different authors must agree on every value and place: a pull request cannot mean two things. */
const OPTIONS = { version: "1.2", schema: "core", uniqueKeys: true, logLevel: "silent" } as const;

interface Reading {
  readonly values: unknown[];
  readonly places: Map<string, number>;
}

/** Values and key offsets as the other parser sees them, or undefined when it refuses the text. */
function readOther(text: string): Reading | undefined {
  try {
    const documents = [...parseAllDocuments(text, OPTIONS)];
    if (documents.some((document) => document.errors.length > 0 || document.warnings.length > 0)) return undefined;
    const places = new Map<string, number>();
    documents.forEach((document, index) => {
      place(document.contents, [index], places);
    });
    return { values: documents.map((document) => document.toJS({ maxAliasCount: 100 })), places };
  } catch {
    return undefined;
  }
}

function place(node: unknown, path: readonly PropertyKey[], places: Map<string, number>): void {
  if (isMap(node)) {
    for (const pair of node.items as Pair<Node, Node | null>[]) {
      if (!isScalar(pair.key)) continue;
      const below = [...path, String(pair.key.value)];
      const start = pair.key.range?.[0];
      // Where a tagged, anchored or block-style key begins is a matter of taste.
      const isUsual =
        pair.key.tag === undefined && pair.key.anchor === undefined && !/^BLOCK/.test(pair.key.type ?? "");
      if (start !== undefined && isUsual) places.set(JSON.stringify(below), start);
      place(pair.value, below, places);
    }
  }
  if (isSeq(node)) for (const [index, item] of node.items.entries()) place(item, [...path, index], places);
}

/** What one of them refuses is not compared: they draw the line of well-formedness around tabs differently. */
function agree(text: string): "compared" | "refused" {
  const ours = readYaml("a.yaml", text);
  const other = readOther(text);
  if (other === undefined || ours.problems.length > 0) return "refused";
  assert.deepEqual(plain(ours.values), plain(other.values));
  // Empty documents mean nothing, and the parsers count them differently; documents that are no maps are refused later.
  if (ours.values.length !== other.values.length) return "compared";
  const { source } = ours;
  for (const [path, offset] of other.places) {
    const [document, ...rest]: [number, ...string[]] = JSON.parse(path);
    assert.deepEqual(source.keyAt(document, rest), source.at(offset), path);
  }
  return "compared";
}

function plain(values: readonly unknown[]): unknown {
  return JSON.parse(JSON.stringify(values.filter((value) => typeof value === "object" && value !== null)));
}

describe("both parsers agree", () => {
  const scalar = fc.oneof(
    fc.string(),
    fc.string({ unit: "grapheme" }),
    fc.integer(),
    fc.double({ noNaN: true, noDefaultInfinity: true }).filter((value) => Math.abs(value) <= Number.MAX_SAFE_INTEGER),
    fc.boolean(),
    fc.constant(null),
    fc.constantFrom(
      "yes",
      "no",
      "on",
      "null",
      "~",
      "0o17",
      "0x1F",
      "1_000",
      "1e3",
      ".5",
      "-0",
      "012",
      "2026-01-01",
      "22:00",
      "<<",
      "=",
      "- a",
      "a: b",
      "#",
      "&a",
      "*a",
      "!x",
      "%",
      "@",
      "`",
      "|",
      ">",
      "{",
      "}",
      "[",
      "]",
      ",",
      "?",
      " x",
      "x ",
      "a\nb",
      "\t",
      "",
    ),
  );
  const key = fc
    .oneof(fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_.-]{0,8}$/), fc.string({ minLength: 1, maxLength: 6 }))
    .filter((text) => text !== "__proto__" && text !== "$xcf");
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { depthSize: "small" },
      scalar,
      fc.array(tie("tree"), { maxLength: 4 }),
      fc.dictionary(key, tie("tree"), { maxKeys: 4, noNullPrototype: true }),
    ),
  }));

  test("on whatever is printed in any style", () => {
    const style = fc.record({
      defaultStringType: fc.constantFrom("PLAIN", "QUOTE_DOUBLE", "QUOTE_SINGLE", "BLOCK_LITERAL", "BLOCK_FOLDED"),
      collectionStyle: fc.constantFrom("any", "block", "flow"),
      indent: fc.constantFrom(2, 4),
      lineWidth: fc.constantFrom(0, 20, 80),
    } as const);
    fc.assert(
      fc.property(fc.array(tree, { minLength: 1, maxLength: 2 }), style, (documents, options) => {
        const printed = documents.map((document) => `---\n${stringify(document, { ...options, version: "1.2" })}`);
        // The printer folds some texts so that its own reader loses a space; such a text is no test of ours.
        const isFaithful = isDeepStrictEqual(plain(readOther(printed.join(""))?.values ?? []), plain(documents));
        if (isFaithful) assert.equal(agree(printed.join("")), "compared");
      }),
      { numRuns: 1_500 },
    );
  });

  test("on what people might type", () => {
    const bits = fc.constantFrom(
      "a",
      "b: ",
      "- ",
      "\n",
      "\n  ",
      "\n    ",
      ": ",
      "[",
      "]",
      "{",
      "}",
      ", ",
      "'",
      '"',
      "#",
      " #x",
      "&a ",
      "*a",
      "|\n",
      ">-\n",
      "? ",
      "---\n",
      "...\n",
      "1",
      "null",
      "\t",
      "!!str ",
      "\r\n",
      "\\",
      "%",
    );
    fc.assert(
      fc.property(fc.array(bits, { maxLength: 14 }), (typed) => {
        agree(typed.join(""));
      }),
      { numRuns: 6_000 },
    );
  });

  test("and nothing at all makes reading throw", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 60 }), (text) => void readYaml("a.yaml", text)),
      { numRuns: 3_000 },
    );
  });
});
