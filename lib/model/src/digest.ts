import { createHash } from "node:crypto";
import { canonicalJson } from "./canonical-json.ts";

/** Lower-case hexadecimal SHA-256, 64 characters. */
export function sha256Hex(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}

/** `sha256:` + SHA-256 over the value's canonical JSON: equal values have equal digests, whatever their key order. */
export function digestOf(value: unknown): string {
  return `sha256:${sha256Hex(canonicalJson(value))}`;
}
