import { isJsonObject, type JsonObject, type JsonValue } from "@xcloudflow/model/json-value";
import type { ResourceChange, UnitOutput } from "@xcloudflow/model/unit-plan";

const SYMBOL: Readonly<Record<string, string>> = {
  create: "+",
  update: "~",
  delete: "-",
  "delete,create": "-/+",
  "create,delete": "+/-",
  read: "<=",
  forget: ".",
  "no-op": " ",
};

const LONGEST_VALUE = 160;
/** A map that takes more is shown member by member. */
const LONGEST_MAP = 80;
/** For a value that nothing is said about but that it will be another one. */
const SHORT_VALUE = 40;

/** A change as lines: the resource, then every attribute that changes, old → new; secrets and unknowns named as such. */
export function changeLines(change: ResourceChange): string[] {
  const key = change.actions.join(",");
  if (key === "no-op") return [];
  const lines = [`${SYMBOL[key] ?? "?"} ${change.address}`];
  if (change.previousAddress !== undefined) lines.push(`    moved from ${change.previousAddress}`);
  const before = isJsonObject(change.before) ? change.before : {};
  const after = isJsonObject(change.after) ? change.after : {};
  const unknown = isJsonObject(change.unknown) ? change.unknown : {};
  const replaces = new Set(change.replacePaths.map((path) => String(path[0])));
  for (const name of new Set([...Object.keys(before), ...Object.keys(after), ...Object.keys(unknown)])) {
    const was = before[name];
    const becomes = withUnknowns(after[name], unknown[name]);
    const because = replaces.has(name) ? "  # forces replacement" : "";
    if (key === "create") lines.push(...assignments(name, becomes));
    else if (key === "delete") lines.push(...assignments(name, was));
    else lines.push(...differences(name, was, becomes).map((line) => `    ${line}${because}`));
  }
  return lines;
}

/** One line, or where that would be long, one for each member of a map. */
function assignments(path: string, value: JsonValue | undefined): string[] {
  if (value === undefined || value === null) return [];
  if (isPlainMap(value) && literal(value).length > LONGEST_MAP)
    return Object.entries<JsonValue>(value).flatMap(([name, inner]) => assignments(`${path}.${name}`, inner));
  return [`    ${path} = ${shown(value)}`];
}

/** What differs, as deep inside maps as the difference lies: one changed tag is one short line. */
function differences(path: string, was: JsonValue | undefined, becomes: JsonValue | undefined): string[] {
  if (becomes === UNKNOWN_MARK) return [`${path}: ${shown(was, SHORT_VALUE)} → ${UNKNOWN}`];
  if (isPlainMap(was) && isPlainMap(becomes)) {
    const names = new Set([...Object.keys(was), ...Object.keys(becomes)]);
    return [...names].flatMap((name) => differences(`${path}.${name}`, was[name], becomes[name]));
  }
  return same(was ?? null, becomes ?? null) ? [] : changed(path, was, becomes);
}

function changed(path: string, was: JsonValue | undefined, becomes: JsonValue | undefined): string[] {
  if (isSecret(was) && isSecret(becomes)) return [`${path}: ${SENSITIVE}, changes`];
  return [`${path}: ${shown(was)} → ${shown(becomes)}`];
}

/** Both forms: the JSON tells one secret from another, the text an unknown from an empty map. */
function same(a: JsonValue, b: JsonValue): boolean {
  return JSON.stringify(a) === JSON.stringify(b) && literal(a) === literal(b);
}

function isPlainMap(value: JsonValue | undefined): value is JsonObject {
  return isJsonObject(value) && value !== UNKNOWN_MARK && !isSecret(value) && Object.keys(value).length > 0;
}

function isSecret(value: JsonValue | undefined): value is JsonObject {
  return isJsonObject(value) && "$redacted" in value;
}

const UNKNOWN = "(known after apply)";
const SENSITIVE = "(sensitive)";
/** Known by identity, so that no value of an engine can pose as unknown. */
const UNKNOWN_MARK: JsonObject = {};

/** The value with a marker wherever the engine does not know yet, inside lists and maps too. */
function withUnknowns(value: JsonValue | undefined, unknown: JsonValue | undefined): JsonValue | undefined {
  if (unknown === true) return UNKNOWN_MARK;
  if (Array.isArray(unknown)) {
    const known = Array.isArray(value) ? value : [];
    const length = Math.max(known.length, unknown.length);
    return Array.from({ length }, (_, index) => withUnknowns(known[index], unknown[index]) ?? null);
  }
  if (!isJsonObject(unknown)) return value;
  const known = isJsonObject(value) ? value : {};
  const names = new Set([...Object.keys(known), ...Object.keys(unknown)]);
  const entries = [...names].flatMap((name): [string, JsonValue][] => {
    const inner = withUnknowns(known[name], unknown[name]);
    return inner === undefined ? [] : [[name, inner]];
  });
  return entries.length === 0 ? value : Object.fromEntries(entries);
}

function shown(value: JsonValue | undefined, longest = LONGEST_VALUE): string {
  if (value === undefined) return "null";
  const text = literal(value);
  return text.length > longest ? `${text.slice(0, longest)}… (${text.length} characters)` : text;
}

/** JSON, with what is secret or not known yet named as such instead of quoted. */
function literal(value: JsonValue): string {
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (!isJsonObject(value)) return JSON.stringify(value);
  if (isSecret(value)) return SENSITIVE;
  if (value === UNKNOWN_MARK) return UNKNOWN;
  const members = Object.entries<JsonValue>(value).map(([name, inner]) => `${JSON.stringify(name)}: ${literal(inner)}`);
  return members.length === 0 ? "{}" : `{${members.join(", ")}}`;
}

export function outputText(output: UnitOutput): string {
  if (output.unknown) return UNKNOWN;
  return output.sensitive ? SENSITIVE : shown(output.value);
}
