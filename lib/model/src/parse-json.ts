import type { z } from "zod";
import { CodedError } from "./coded-error.ts";
import type { JsonValue } from "./json-value.ts";

/** Thrown when bytes that should be JSON of a known shape are not. */
export class DocumentInvalidError extends CodedError {
  constructor(where: string, what: string, cause?: unknown) {
    super("DOCUMENT_INVALID", "invalid", {
      where,
      what,
      hint: "the sender and this program may be of different versions",
      cause,
    });
  }
}

/**
 * Reads JSON without losing a digit: a number whose shortest double form differs from its source text becomes a
 * `RawNumber`, which every printer of this project prints as it was.
 *
 * @throws {DocumentInvalidError} when `text` is not JSON.
 */
export function parseJson(text: string, where: string): JsonValue {
  try {
    return (SUSPECT_NUMBER.test(text) ? JSON.parse(text, keepDigits) : JSON.parse(text)) as JsonValue;
  } catch (cause) {
    throw new DocumentInvalidError(where, "not valid JSON", cause);
  }
}

/**
 * Finds every number literal that a double might not print again as it was: a fraction, an exponent, minus zero, or 16
 * digits and more. It may also find such text inside a string, which costs time only: the reviver looks at each number.
 */
const SUSPECT_NUMBER = /(?:^|[[,:\s])-?(?:\d{16}|\d+[.eE]|0(?<=-0))/;

function keepDigits(_key: string, value: unknown, context: { readonly source?: string }): unknown {
  if (typeof value !== "number" || context.source === undefined || String(value) === context.source) return value;
  return JSON.rawJSON(context.source);
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

/** A model value as the UTF-8 JSON bytes that RPC `*_document` fields carry. */
export function encodeDocument(value: unknown): Uint8Array {
  return encoder.encode(JSON.stringify(value));
}

/** @throws {DocumentInvalidError} when `bytes` is not UTF-8 JSON of the schema's shape. */
export function decodeDocument<T>(schema: z.ZodType<T>, bytes: Uint8Array, where: string): T {
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch (cause) {
    throw new DocumentInvalidError(where, "not UTF-8", cause);
  }
  const result = schema.safeParse(parseJson(text, where));
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new DocumentInvalidError(
    where,
    `${issue?.path.join(".") || "document"}: ${issue?.message ?? "wrong shape"}`,
    result.error,
  );
}
