import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { printGoJson } from "./go-json.ts";
import { readYaml } from "./yaml-documents.ts";

const read = (text: string): string => printGoJson(readYaml(text));

describe("YAML as conftest reads it", () => {
  for (const [text, json] of [
    ["a: yes\nb: off\nc: n", '{"a":true,"b":false,"c":false}'],
    ["a: 010\nb: 0o10\nc: 0x1F\nd: 0b11", '{"a":8,"b":8,"c":31,"d":3}'],
    ["a: 1:30\nb: 2024-01-02", '{"a":"1:30","b":"2024-01-02"}'],
    ["a: !!binary aGk=\nb: !Ref x", '{"a":"hi","b":"x"}'],
    ["a: 1\na: 2", '{"a":2}'],
    ["__proto__: 1\n1: 2\ntrue: 3", '{"__proto__":1,"1":2,"true":3}'],
    ["a: &x {k: 1}\nb:\n  <<: *x\n  l: 2", '{"a":{"k":1},"b":{"k":1,"l":2}}'],
    ["", "null"],
    ["# nothing", "null"],
    ["- a\n- b", '["a","b"]'],
  ] as const) {
    test(JSON.stringify(text), () => assert.equal(read(text), json));
  }

  for (const text of ["a: [", "a: .inf", "~: 1", "? [a]\n: 1", "a: *missing"]) {
    test(`${JSON.stringify(text)} is refused`, () => assert.throws(() => read(text)));
  }

  test("a bomb of aliases is refused, not expanded", () => {
    const lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"];
    for (let level = 1; level < 10; level++) {
      const previous = Array.from({ length: 10 }, () => `*a${level - 1}`).join(", ");
      lines.push(`a${level}: &a${level} [${previous}]`);
    }
    assert.throws(() => read(lines.join("\n")));
  });
});
