import { isRawNumber } from "./json-value.ts";

/**
 * RFC 8785 (JSON Canonicalization Scheme) text of a value: keys sorted by UTF-16 code units, no white space, strings
 * and doubles as ECMAScript prints them. One deliberate difference: a `RawNumber` is printed with the digits the
 * engine printed, since rounding it would let two different plans share a digest.
 *
 * @throws {TypeError} for what JSON cannot hold: NaN, infinities, functions, symbols, bigint.
 */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value === "boolean" || typeof value === "string") return JSON.stringify(value);
  if (typeof value === "number") {
    if (!Number.isFinite(value)) throw new TypeError(`canonical JSON cannot hold ${value}`);
    return JSON.stringify(value);
  }
  if (isRawNumber(value)) return value.rawJSON;
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item ?? null)).join(",")}]`;
  if (typeof value === "object") {
    const members = Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
      .map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`);
    return `{${members.join(",")}}`;
  }
  throw new TypeError(`canonical JSON cannot hold a ${typeof value}`);
}
