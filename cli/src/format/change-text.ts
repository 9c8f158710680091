import { isJsonObject, type JsonValue } from "@xcloudflow/model/json-value";
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
    const becomes = hasUnknown(unknown[name]) ? "(known after apply)" : shown(after[name]);
    if (was === becomes || (becomes === "null" && was === "null")) continue;
    const because = replaces.has(name) ? "  # forces replacement" : "";
    if (key === "create") {
      if (becomes !== "null") lines.push(`    ${name} = ${becomes}`);
    } else if (key === "delete") lines.push(`    ${name} = ${was}`);
    else lines.push(`    ${name}: ${was} → ${becomes}${because}`);
  }
  return lines;
}

function hasUnknown(value: JsonValue | undefined): boolean {
  if (value === true) return true;
  if (Array.isArray(value)) return value.some(hasUnknown);
  return isJsonObject(value) && Object.values<JsonValue>(value).some(hasUnknown);
}

function shown(value: JsonValue | undefined): string {
  if (value === undefined) return "null";
  if (isJsonObject(value) && "$redacted" in value) return "(sensitive)";
  const text = JSON.stringify(value, (_key, inner: unknown) => (isRedacted(inner) ? "(sensitive)" : inner));
  return text.length > LONGEST_VALUE ? `${text.slice(0, LONGEST_VALUE)}… (${text.length} characters)` : text;
}

function isRedacted(value: unknown): boolean {
  return typeof value === "object" && value !== null && "$redacted" in value;
}

export function outputText(output: UnitOutput): string {
  if (output.unknown) return "(known after apply)";
  return output.sensitive ? "(sensitive)" : shown(output.value);
}
