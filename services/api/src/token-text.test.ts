import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatToken, hashSecret, matchesHash, newSecret, parseToken } from "./token-text.ts";

test("reads back what it writes, for every tenant's name", () => {
  fc.assert(
    fc.property(
      fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/),
      fc.stringMatching(/^[0-9a-z]{26}$/),
      (tenant, id) => {
        const token = { tenant, id, secret: newSecret() };
        assert.deepEqual(parseToken(formatToken(token)), token);
      },
    ),
  );
});

test("reads nothing else", () => {
  const good = formatToken({ tenant: "t", id: "1", secret: newSecret() });
  for (const text of [
    "",
    "xcf_",
    good.slice(0, -1),
    `${good}x`,
    good.replace("xcf_", "ghp_"),
    good.replace("t.", "."),
    ` ${good}`,
    `${good}\n`,
  ]) {
    assert.equal(parseToken(text), undefined, JSON.stringify(text));
  }
});

test("matches a secret with its own hash only, and never repeats one", () => {
  const secrets = Array.from({ length: 100 }, newSecret);
  assert.equal(new Set(secrets).size, 100);
  for (const secret of secrets) {
    assert.equal(Buffer.from(secret, "base64url").byteLength, 32);
    assert.ok(matchesHash(secret, hashSecret(secret)));
    assert.ok(!matchesHash(secret, hashSecret(`${secret}x`)));
    assert.ok(!matchesHash(secret, new Uint8Array(3)));
  }
});
