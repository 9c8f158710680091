import { z } from "zod";

/** Any JSON value. Numbers an engine printed that a double cannot hold unchanged stay as `RawNumber`. */
export type JsonValue = null | boolean | number | string | RawNumber | readonly JsonValue[] | JsonObject;

export interface JsonObject {
  readonly [key: string]: JsonValue;
}

/**
 * A number kept as the digits an engine printed, because reading it as a double and printing it again would change
 * them (`9007199254740993`, `1.10`). Made by `JSON.rawJSON`, so that `JSON.stringify` prints it unchanged.
 */
export interface RawNumber {
  readonly rawJSON: string;
}

/**
 * Accepts what `parseJson` returned without walking it: a plan of 64 MB has been parsed as JSON once already, so a
 * second recursive check could only repeat the parser's verdict.
 */
export const jsonValueSchema = z.custom<JsonValue>((value) => value !== undefined && typeof value !== "function");

export const jsonObjectSchema = z.custom<JsonObject>(
  (value) => typeof value === "object" && value !== null && !Array.isArray(value) && !isRawNumber(value),
);

export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !isRawNumber(value);
}

export function isRawNumber(value: unknown): value is RawNumber {
  return JSON.isRawJSON(value);
}
