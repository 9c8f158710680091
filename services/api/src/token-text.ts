import { createHash, randomBytes, timingSafeEqual } from "node:crypto";

/** The three parts of `xcf_<tenant>.<id>.<secret>`. Only the secret is secret; tenant and id say where to look it up. */
export interface TokenText {
  readonly tenant: string;
  readonly id: string;
  readonly secret: string;
}

/** 256 random bits as base64url: 43 characters. */
const PATTERN = /^xcf_([A-Za-z0-9][A-Za-z0-9._-]{0,127})\.([0-9a-z]{1,64})\.([\w-]{43})$/;
const SECRET_BYTES = 32;

export function newSecret(): string {
  return randomBytes(SECRET_BYTES).toString("base64url");
}

export function formatToken({ tenant, id, secret }: TokenText): string {
  return `xcf_${tenant}.${id}.${secret}`;
}

export function parseToken(text: string): TokenText | undefined {
  const [, tenant, id, secret] = PATTERN.exec(text) ?? [];
  return tenant === undefined || id === undefined || secret === undefined ? undefined : { tenant, id, secret };
}

/** SHA-256 is enough for what has 256 bits of entropy: nothing shorter than the secret space can be guessed. */
export function hashSecret(secret: string): Uint8Array {
  return createHash("sha256").update(secret).digest();
}

/** In constant time. */
export function matchesHash(secret: string, hash: Uint8Array): boolean {
  const given = hashSecret(secret);
  return given.byteLength === hash.byteLength && timingSafeEqual(given, hash);
}
