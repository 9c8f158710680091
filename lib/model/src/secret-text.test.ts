import assert from "node:assert/strict";
import { test } from "node:test";
import { format, inspect } from "node:util";
import { SecretText } from "./secret-text.ts";

const CANARY = "hunter2-canary";

test("no way of printing a value shows the secret", () => {
  const secret = new SecretText(CANARY);
  const holder = { password: secret, list: [secret], map: new Map([["k", secret]]) };
  const printed = [
    String(secret),
    `${secret}`,
    `x${secret.toString()}`,
    JSON.stringify(holder),
    inspect(holder, { depth: 9, showHidden: true, getters: true }),
    format("%s %o %O %j", secret, secret, holder, holder),
    Object.values(secret).join(),
    JSON.stringify(Object.getOwnPropertyDescriptors(secret)),
  ];
  for (const text of printed) assert.ok(!text.includes(CANARY), text);
  assert.equal(`${secret}`, "[secret]");
  assert.equal(JSON.stringify({ secret }), '{"secret":"[secret]"}');
});

test("an error that carries a secret does not print it", () => {
  const error = new Error(`cannot use ${new SecretText(CANARY)}`, { cause: new SecretText(CANARY) });
  assert.ok(!inspect(error).includes(CANARY));
});

test("reveal is the way to the text", () => {
  assert.equal(new SecretText(CANARY).reveal(), CANARY);
  assert.equal(new SecretText("").length, 0);
});
