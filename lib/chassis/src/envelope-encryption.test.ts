import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import {
  createOpener,
  createSealer,
  type DataKey,
  type EnvelopeContext,
  HEADER_BYTES,
  openBytes,
  resealBytes,
  sealBytes,
} from "./envelope-encryption.ts";
import { EnvelopeFormatUnknownError, EnvelopeTamperedError } from "./envelope-encryption-errors.ts";

const key: DataKey = { id: "0123456789abcdef0123456789abcdef", bytes: randomBytes(32) };
const context: EnvelopeContext = { tenant: "acme", unit: "prod/shop/db", kind: "engine-state", version: "7" };

test("what is sealed opens again, whatever the bytes and the context", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 4096 }),
      fc.record({ tenant: fc.string(), unit: fc.string(), kind: fc.string(), version: fc.string() }),
      (plain, where) => {
        assert.deepEqual(Buffer.from(openBytes(key, where, sealBytes(key, where, plain))), Buffer.from(plain));
      },
    ),
  );
});

test("nothing opens under another tenant, unit, kind or version", () => {
  const sealed = sealBytes(key, context, Buffer.from("state"));
  for (const field of ["tenant", "unit", "kind", "version"] as const) {
    assert.throws(() => openBytes(key, { ...context, [field]: `${context[field]}x` }, sealed), EnvelopeTamperedError);
  }
  assert.throws(
    () => openBytes(key, { ...context, tenant: "acmeprod", unit: context.unit.slice(4) }, sealed),
    EnvelopeTamperedError,
  );
  assert.throws(() => openBytes({ ...key, bytes: randomBytes(32) }, context, sealed), EnvelopeTamperedError);
});

test("a single changed bit anywhere is noticed", () => {
  const sealed = sealBytes(key, context, Buffer.from("state of the world"));
  for (let at = 0; at < sealed.length; at++) {
    const changed = Buffer.from(sealed);
    changed[at] = (changed[at] ?? 0) ^ 1;
    assert.throws(
      () => openBytes(key, context, changed),
      (error) => error instanceof EnvelopeTamperedError || error instanceof EnvelopeFormatUnknownError,
      `byte ${at}`,
    );
  }
});

test("chunks that are reordered, dropped, repeated or cut off are noticed", () => {
  const sealer = createSealer();
  const chunks = ["one", "two", "three"].map((text, index) => sealer.chunk(Buffer.from(text), index === 2));
  const header = sealer.header(key, context);
  const open = (order: readonly number[]): string => {
    const opener = createOpener(key, context, header);
    return order
      .map((index, place) =>
        Buffer.from(opener.chunk(chunks[index] ?? Buffer.alloc(0), place === order.length - 1)).toString(),
      )
      .join(" ");
  };
  assert.equal(open([0, 1, 2]), "one two three");
  for (const order of [[1, 0, 2], [0, 2], [0, 1], [0], [0, 1, 1, 2], [2], [0, 1, 2, 2]]) {
    assert.throws(() => open(order), EnvelopeTamperedError, order.join());
  }
});

test("a sealer refuses to seal past its last chunk, because a nonce must never come twice", () => {
  const sealer = createSealer();
  sealer.chunk(Buffer.from("end"), true);
  assert.throws(() => sealer.chunk(Buffer.from("more"), false), RangeError);
});

test("a resealed value opens under the new context and key only", () => {
  const sealed = sealBytes(key, context, Buffer.from("state"));
  const moved = {
    key: { id: "ff".repeat(16), bytes: randomBytes(32) },
    context: { ...context, unit: "prod/shop/database" },
  };
  const resealed = resealBytes({ key, context }, moved, sealed);
  assert.equal(Buffer.from(openBytes(moved.key, moved.context, resealed)).toString(), "state");
  assert.deepEqual(resealed.subarray(HEADER_BYTES), sealed.subarray(HEADER_BYTES));
  assert.throws(() => openBytes(key, context, resealed), EnvelopeTamperedError);
});
