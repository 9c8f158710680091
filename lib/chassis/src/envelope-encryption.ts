import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { EnvelopeFormatUnknownError, EnvelopeTamperedError } from "./envelope-encryption-errors.ts";

/**
 * What is stored encrypted, and how. Every object has a content key of its own (32 random bytes). Its bytes are cut into
 * chunks of at most `CHUNK_BYTES`, each sealed by AES-256-GCM under the content key; the nonce is the chunk's number and
 * a mark on the last one (the STREAM construction), so that chunks cannot be reordered, dropped or cut off. The content
 * key is sealed under the tenant's data key in the header, whose associated data is the context: an object moved to
 * another tenant, unit, kind or version does not open. Because the context is bound in the header alone, an object can
 * be written in pieces before its version is known, and can be renamed or given a new data key without touching them.
 *
 * Header, 81 bytes: "XCFE", format 1, data key id (16), nonce (12), sealed content key (32), tag (16).
 */
export const CHUNK_BYTES = 1 << 20;

/** What an object is; opening it with anything else fails. */
export interface EnvelopeContext {
  readonly tenant: string;
  /** Unit address, or empty for what belongs to no unit. */
  readonly unit: string;
  /** "engine-state", "artefact", "outputs" … */
  readonly kind: string;
  readonly version: string;
}

/** A tenant's key that seals content keys. `id` is 32 hexadecimal digits. */
export interface DataKey {
  readonly id: string;
  readonly bytes: Uint8Array;
}

const MAGIC = Buffer.from("XCFE\x01", "latin1");
const KEY_ID_BYTES = 16;
const NONCE_BYTES = 12;
const KEY_BYTES = 32;
const TAG_BYTES = 16;
const NONCE_AT = MAGIC.length + KEY_ID_BYTES;
const SEALED_AT = NONCE_AT + NONCE_BYTES;
export const HEADER_BYTES = SEALED_AT + KEY_BYTES + TAG_BYTES;
const CIPHER = "aes-256-gcm";

export interface Sealer {
  /** Seals the next chunk; after the last one nothing may follow. An empty object is one empty last chunk. */
  chunk(plain: Uint8Array, last: boolean): Uint8Array;
  header(key: DataKey, context: EnvelopeContext): Uint8Array;
}

export interface Opener {
  /** @throws {EnvelopeTamperedError} when it is not the next chunk, or is (not) the last one against what is said. */
  chunk(sealed: Uint8Array, last: boolean): Uint8Array;
}

export function createSealer(): Sealer {
  const contentKey = randomBytes(KEY_BYTES);
  const nonces = countNonces();
  return {
    chunk(plain, last) {
      const cipher = createCipheriv(CIPHER, contentKey, nonces.next(last));
      return Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
    },
    header: (key, context) => sealContentKey(key, context, contentKey),
  };
}

/**
 * @throws {EnvelopeFormatUnknownError} when the header is not one of ours.
 * @throws {EnvelopeTamperedError} when it was not sealed with this key for this context.
 */
export function createOpener(key: DataKey, context: EnvelopeContext, header: Uint8Array): Opener {
  const contentKey = openContentKey(key, context, header);
  const nonces = countNonces();
  return {
    chunk(sealed, last) {
      return decrypt(contentKey, nonces.next(last), undefined, sealed, describeContext(context));
    },
  };
}

/** Id of the data key a header or a sealed value was made with. @throws {EnvelopeFormatUnknownError} */
export function dataKeyIdOf(header: Uint8Array, where: string): string {
  const bytes = Buffer.from(header.buffer, header.byteOffset, header.byteLength);
  if (bytes.length < HEADER_BYTES || !bytes.subarray(0, MAGIC.length).equals(MAGIC))
    throw new EnvelopeFormatUnknownError(where);
  return bytes.toString("hex", MAGIC.length, NONCE_AT);
}

/** The same object under another context or data key: what a rename and a key rotation do. */
export function resealHeader(
  from: { readonly key: DataKey; readonly context: EnvelopeContext },
  to: { readonly key: DataKey; readonly context: EnvelopeContext },
  header: Uint8Array,
): Uint8Array {
  return sealContentKey(to.key, to.context, openContentKey(from.key, from.context, header));
}

/** A small value in one piece: header and its only chunk. */
export function sealBytes(key: DataKey, context: EnvelopeContext, plain: Uint8Array): Uint8Array {
  const sealer = createSealer();
  return Buffer.concat([sealer.header(key, context), sealer.chunk(plain, true)]);
}

/** @throws {EnvelopeTamperedError | EnvelopeFormatUnknownError} as `createOpener`. */
export function openBytes(key: DataKey, context: EnvelopeContext, sealed: Uint8Array): Uint8Array {
  return createOpener(key, context, sealed.subarray(0, HEADER_BYTES)).chunk(sealed.subarray(HEADER_BYTES), true);
}

/** `resealHeader` for a value of `sealBytes`. */
export function resealBytes(
  from: { readonly key: DataKey; readonly context: EnvelopeContext },
  to: { readonly key: DataKey; readonly context: EnvelopeContext },
  sealed: Uint8Array,
): Uint8Array {
  return Buffer.concat([resealHeader(from, to, sealed.subarray(0, HEADER_BYTES)), sealed.subarray(HEADER_BYTES)]);
}

function sealContentKey(key: DataKey, context: EnvelopeContext, contentKey: Uint8Array): Uint8Array {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(CIPHER, key.bytes, nonce);
  const keyId = Buffer.from(key.id, "hex");
  cipher.setAAD(associatedData(keyId, context));
  return Buffer.concat([MAGIC, keyId, nonce, cipher.update(contentKey), cipher.final(), cipher.getAuthTag()]);
}

function openContentKey(key: DataKey, context: EnvelopeContext, header: Uint8Array): Uint8Array {
  const where = describeContext(context);
  if (dataKeyIdOf(header, where) !== key.id)
    throw new EnvelopeTamperedError(where, "the envelope was sealed with another data key");
  const nonce = header.subarray(NONCE_AT, SEALED_AT);
  const aad = associatedData(Buffer.from(key.id, "hex"), context);
  return decrypt(key.bytes, nonce, aad, header.subarray(SEALED_AT, HEADER_BYTES), where);
}

function decrypt(
  key: Uint8Array,
  nonce: Uint8Array,
  aad: Uint8Array | undefined,
  sealed: Uint8Array,
  where: string,
): Uint8Array {
  if (sealed.length < TAG_BYTES) throw new EnvelopeTamperedError(where, "an encrypted piece is cut off");
  try {
    const decipher = createDecipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
    if (aad !== undefined) decipher.setAAD(aad);
    decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
    const plain = decipher.update(sealed.subarray(0, sealed.length - TAG_BYTES));
    // In this mode `final` gives no bytes, it only checks the tag; until then `plain` may be anything.
    decipher.final();
    return plain;
  } catch (cause) {
    throw new EnvelopeTamperedError(where, "an encrypted piece is not what was stored there", cause);
  }
}

/** Each part with its length before it, so that no two contexts give the same bytes. */
function associatedData(keyId: Uint8Array, { tenant, unit, kind, version }: EnvelopeContext): Uint8Array {
  const parts = [tenant, unit, kind, version].map((part) => Buffer.from(part, "utf8"));
  return Buffer.concat([MAGIC, keyId, ...parts.flatMap((part) => [lengthOf(part), part])]);
}

function lengthOf(part: Uint8Array): Uint8Array {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(part.length);
  return length;
}

function countNonces(): { next(last: boolean): Uint8Array } {
  let index = 0;
  let ended = false;
  return {
    next(last) {
      if (ended) throw new RangeError("no chunk may follow the last one");
      ended = last;
      const nonce = Buffer.alloc(NONCE_BYTES);
      nonce.writeUIntBE(index++, 5, 6);
      nonce[NONCE_BYTES - 1] = last ? 1 : 0;
      return nonce;
    },
  };
}

function describeContext({ tenant, unit, kind, version }: EnvelopeContext): string {
  return [tenant, unit, kind, version].filter((part) => part !== "").join(" ");
}
