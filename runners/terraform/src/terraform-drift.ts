import { canonicalJson } from "@xcloudflow/model/canonical-json";
import { isJsonObject, type JsonValue } from "@xcloudflow/model/json-value";
import type { ResourceChange } from "@xcloudflow/model/unit-plan";

/**
 * Drift without what a unit's `ignoreDrift` names: a resource address, or an address and an attribute
 * (`aws_instance.web.tags`), where `*` stands for any text.
 */
export function withoutIgnored(drift: readonly ResourceChange[], ignored: readonly string[]): ResourceChange[] {
  if (ignored.length === 0) return [...drift];
  const patterns = ignored.map(toPattern);
  const isIgnored = (text: string): boolean => patterns.some((pattern) => pattern.test(text));
  return drift.filter((change) => {
    if (isIgnored(change.address)) return false;
    const changed = changedAttributes(change.before, change.after);
    return changed.length === 0 || !changed.every((attribute) => isIgnored(`${change.address}.${attribute}`));
  });
}

function toPattern(text: string): RegExp {
  return new RegExp(`^${text.split("*").map(escapePattern).join(".*")}$`);
}

function escapePattern(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");
}

/** Names of the top-level attributes that differ; none when a resource came or went. */
function changedAttributes(before: JsonValue, after: JsonValue): string[] {
  if (!isJsonObject(before) || !isJsonObject(after)) return [];
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...names].filter((name) => canonicalJson(before[name] ?? null) !== canonicalJson(after[name] ?? null));
}
