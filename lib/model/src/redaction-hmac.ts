import { createHmac } from "node:crypto";
import { canonicalJson } from "./canonical-json.ts";

/**
 * What stands for a sensitive value wherever people or logs may look: the HMAC-SHA-256 (lower-case hex), under
 * the tenant's redaction key, of the value's canonical JSON. Equal secrets look equal, so that a change of one is seen;
 * without the key nothing can be guessed from it.
 */
export function redactionHmac(key: Uint8Array, value: unknown): string {
  return createHmac("sha256", key).update(canonicalJson(value)).digest("hex");
}
