import { createHmac } from "node:crypto";
import { canonicalJson } from "@xcloudflow/model/canonical-json";
import { isJsonObject, type JsonObject, type JsonValue } from "@xcloudflow/model/json-value";
import type { SecretRedactor } from "./secret-redactor.ts";

/** Replaces values nobody may see by `{"$redacted": hmac}`: equal secrets look equal, and a change of one is visible. */
export interface ValueRedactor {
  /** HMAC-SHA-256 (hex) over the value's canonical JSON, under the tenant's key. */
  hmac(value: JsonValue): string;
  /** The value with everything that `mask` marks `true`, and every text that holds a known secret, replaced. */
  redact(value: JsonValue, mask: JsonValue): JsonValue;
  /** Whether a known secret stands anywhere in the value. */
  holdsSecret(value: JsonValue): boolean;
}

export function createValueRedactor(key: Uint8Array, secrets: SecretRedactor): ValueRedactor {
  const hmac = (value: JsonValue): string => createHmac("sha256", key).update(canonicalJson(value)).digest("hex");
  const hide = (value: JsonValue): JsonValue => (value === null ? null : { $redacted: hmac(value) });

  function redact(value: JsonValue, mask: JsonValue | undefined): JsonValue {
    if (mask === true) return hide(value);
    if (typeof value === "string") return secrets.holds(value) ? hide(value) : value;
    if (typeof value === "number") return secrets.holds(String(value)) ? hide(value) : value;
    if (isList(value)) return value.map((item, index) => redact(item, maskItem(mask, index)));
    if (!isJsonObject(value)) return value;
    return mapMembers(value, (member, name) => redact(member, isJsonObject(mask) ? mask[name] : undefined), secrets);
  }

  function holdsSecret(value: JsonValue): boolean {
    if (typeof value === "string") return secrets.holds(value);
    if (typeof value === "number") return secrets.holds(String(value));
    if (isList(value)) return value.some(holdsSecret);
    return (
      isJsonObject(value) && Object.entries(value).some(([name, member]) => secrets.holds(name) || holdsSecret(member))
    );
  }

  return { hmac, redact, holdsSecret };
}

function mapMembers(
  value: JsonObject,
  map: (member: JsonValue, name: string) => JsonValue,
  secrets: SecretRedactor,
): JsonObject {
  const result: Record<string, JsonValue> = {};
  for (const [name, member] of Object.entries(value)) {
    // defineProperty and not assignment: an engine may print a member called __proto__.
    Object.defineProperty(result, secrets.text(name), {
      value: map(member, name),
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return result;
}

function maskItem(mask: JsonValue | undefined, index: number): JsonValue | undefined {
  return isList(mask) ? mask[index] : undefined;
}

function isList(value: JsonValue | undefined): value is readonly JsonValue[] {
  return Array.isArray(value);
}
