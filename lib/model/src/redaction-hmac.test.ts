import assert from "node:assert/strict";
import { test } from "node:test";
import { parseJson } from "./parse-json.ts";
import { redactionHmac } from "./redaction-hmac.ts";

const key = new Uint8Array(32).fill(7);

test("equal values have equal HMACs whatever their key order, different ones do not", () => {
  assert.equal(redactionHmac(key, { a: 1, b: [true] }), redactionHmac(key, { b: [true], a: 1 }));
  assert.notEqual(redactionHmac(key, "1"), redactionHmac(key, 1));
  assert.notEqual(
    redactionHmac(key, parseJson("9007199254740993", "test")),
    redactionHmac(key, parseJson("9007199254740992", "test")),
  );
});

test("another tenant's key gives another HMAC", () => {
  assert.notEqual(redactionHmac(key, "secret"), redactionHmac(new Uint8Array(32).fill(8), "secret"));
  assert.match(redactionHmac(key, "secret"), /^[0-9a-f]{64}$/);
});
