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
    const was = shown(before[name]);
    const becomes = shown(withUnknowns(after[name], unknown[name]));
    if (was === becomes || (becomes === "null" && was === "null")) continue;
    const because = replaces.has(name) ? "  # forces replacement" : "";
    if (key === "create") {
      if (becomes !== "null") lines.push(`    ${name} = ${becomes}`);
    } else if (key === "delete") lines.push(`    ${name} = ${was}`);
    else lines.push(`    ${name}: ${was} → ${becomes}${because}`);
  }
  return lines;
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

function shown(value: JsonValue | undefined): string {
  if (value === undefined) return "null";
  const text = literal(value);
  return text.length > LONGEST_VALUE ? `${text.slice(0, LONGEST_VALUE)}… (${text.length} characters)` : text;
}

/** JSON, with what is secret or not known yet named as such instead of quoted. */
function literal(value: JsonValue): string {
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (!isJsonObject(value)) return JSON.stringify(value);
  if ("$redacted" in value) return SENSITIVE;
  if (value === UNKNOWN_MARK) return UNKNOWN;
  const members = Object.entries<JsonValue>(value).map(([name, inner]) => `${JSON.stringify(name)}: ${literal(inner)}`);
  return members.length === 0 ? "{}" : `{${members.join(", ")}}`;
}

export function outputText(output: UnitOutput): string {
  if (output.unknown) return UNKNOWN;
  return output.sensitive ? SENSITIVE : shown(output.value);
}
