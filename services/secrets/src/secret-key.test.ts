import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { findKey, secretTextOf } from "./secret-key.ts";

test("a key is a member's name first, and a dotted path only where there is no such member", () => {
  const document = { "a.b": "member", a: { b: "path", list: ["zero", { c: 1 }] }, n: 7, no: false, nothing: null };
  assert.equal(findKey(document, "a.b"), "member");
  assert.equal(findKey(document, "a.list.0"), "zero");
  assert.equal(findKey(document, "a.list.1.c"), 1);
  assert.equal(findKey(document, "nothing"), null);
  for (const absent of ["b", "a.c", "a.list.9", "a.list.x", "n.x", ""])
    assert.equal(findKey(document, absent), undefined, absent);
});

test("names of JavaScript's own are no keys", () => {
  for (const name of ["__proto__", "constructor", "toString", "a.constructor", "a.__proto__.b"]) {
    assert.equal(findKey({ a: {} }, name), undefined, name);
  }
  fc.assert(fc.property(fc.string(), (name) => findKey({}, name) === undefined));
});

test("text stays as it is, other values become JSON", () => {
  assert.deepEqual(
    [secretTextOf('"x"'), secretTextOf(7), secretTextOf(false), secretTextOf({ a: [1] })],
    ['"x"', "7", "false", '{"a":[1]}'],
  );
});
