import { isJsonObject, type JsonValue } from "@xcloudflow/model/json-value";
import { parse } from "yaml";
import type { SopsFormat } from "./sops-cli.ts";

/** SOPS knows formats by the file's name, like its own command does. */
export function sopsFormatOf(path: string): SopsFormat {
  if (/\.ya?ml$/i.test(path)) return "yaml";
  if (/\.json$/i.test(path)) return "json";
  if (/\.env$/i.test(path)) return "dotenv";
  if (/\.ini$/i.test(path)) return "ini";
  return "binary";
}

/** The encrypted document; its names are in the clear. Undefined when the bytes are not of the format. */
export function parseEncrypted(text: string, format: SopsFormat): JsonValue | undefined {
  if (format === "dotenv" || format === "ini") return undefined;
  try {
    return parse(text, { maxAliasCount: 100, schema: "core" }) as JsonValue;
  } catch {
    return undefined;
  }
}

const FOREIGN = ["kms", "gcp_kms", "azure_kv", "hc_vault", "hckms", "pgp"] as const;

/**
 * Who can decrypt the file: "age" alone is what is read here. Files come from a repository whose authors write the list of
 * key services too; following it would let them choose whom the control plane calls.
 */
export function keyServicesOf(text: string, format: SopsFormat): readonly string[] | undefined {
  if (format === "dotenv") return linesNaming(text, /^sops_([a-z]+(?:_[a-z]+)?)__/gm);
  if (format === "ini") return linesNaming(text, /^\s*([a-z]+(?:_[a-z]+)?)__/gm);
  const document = parseEncrypted(text, format);
  const metadata = isJsonObject(document) ? document["sops"] : undefined;
  if (!isJsonObject(metadata)) return undefined;
  const groups = Array.isArray(metadata["key_groups"]) ? metadata["key_groups"] : [];
  const holders = [metadata, ...groups].filter(isJsonObject);
  return ["age", ...FOREIGN].filter((name) => holders.some((holder) => isUsed(holder[name])));
}

function isUsed(value: JsonValue | undefined): boolean {
  return value !== undefined && value !== null && !(Array.isArray(value) && value.length === 0);
}

function linesNaming(text: string, pattern: RegExp): readonly string[] | undefined {
  const names = new Set([...text.matchAll(pattern)].map(([, name]) => name ?? ""));
  const known = ["age", ...FOREIGN].filter((name) => names.has(name));
  return known.length === 0 ? undefined : known;
}
