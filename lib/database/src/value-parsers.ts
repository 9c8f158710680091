/**
 * How values of either driver become JavaScript values, so that both give the same: `int8` → bigint (never a number that
 * may have lost digits), `numeric`, dates and times without a zone, and intervals → the text PostgreSQL prints,
 * `timestamptz` → Date, `bytea` → Uint8Array. What is not listed is equal in both drivers already.
 */
export const valueParsers: Readonly<Record<number, (text: string) => unknown>> = {
  17: parseBytes,
  20: BigInt,
  1082: asText,
  1083: asText,
  1114: asText,
  1184: parseInstant,
  1186: asText,
  1266: asText,
  1700: asText,
};

/** Arrays of the types above: array type → element type. */
export const arrayElements: Readonly<Record<number, number>> = {
  1001: 17,
  1016: 20,
  1182: 1082,
  1115: 1114,
  1185: 1184,
  1231: 1700,
};

function asText(text: string): string {
  return text;
}

/** PostgreSQL's hex form, `\x00ff`. */
function parseBytes(text: string): Uint8Array {
  const bytes = new Uint8Array((text.length - 2) / 2);
  Buffer.from(bytes.buffer).write(text.slice(2), "hex");
  return bytes;
}

/** PostgreSQL's ISO style, `2026-01-02 03:04:05.678901+00`; a Date keeps the milliseconds. */
function parseInstant(text: string): Date {
  return new Date(text.replace(" ", "T").replace(/([+-]\d\d)$/, "$1:00"));
}
