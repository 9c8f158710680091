import { isJsonObject, type JsonObject, type JsonValue } from "@xcloudflow/model/json-value";
import { redactionHmac } from "@xcloudflow/model/redaction-hmac";
import { SecretText } from "@xcloudflow/model/secret-text";
import type { SecretRedactor } from "./secret-redactor.ts";

/** Replaces values nobody may see by `{"$redacted": hmac}`: equal secrets look equal, and a change of one is visible. */
export interface ValueRedactor {
  /** `hmac-sha256:…` over the value's canonical JSON, under the tenant's key. */
  hmac(value: JsonValue): string;
  /** The value with everything that `mask` marks `true`, and every text that holds a known secret, replaced. */
  redact(value: JsonValue, mask: JsonValue): JsonValue;
  /**
   * Makes the texts that `mask` marks known as secrets. Called before `redact` with everything an engine marks: what a
   * provider copies elsewhere is often marked in one place only, and an old secret is known from there alone.
   */
  learn(value: JsonValue, mask: JsonValue): void;
  /** Whether a known secret stands anywhere in the value. */
  holdsSecret(value: JsonValue): boolean;
}

/** Engines mark short words too (`true`, a size): hiding those everywhere would make a plan unreadable. */
const SHORTEST_LEARNED = 6;

export function createValueRedactor(key: Uint8Array, secrets: SecretRedactor): ValueRedactor {
  const hmac = (value: JsonValue): string => redactionHmac(key, value);
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

  function learn(value: JsonValue | undefined, mask: JsonValue | undefined): void {
    if (mask === undefined || mask === false || value === undefined) return;
    if (typeof value === "string") {
      if (mask === true && value.length >= SHORTEST_LEARNED) secrets.add(new SecretText(value));
    } else if (isList(value)) {
      for (const [index, item] of value.entries()) learn(item, mask === true || maskItem(mask, index));
    } else if (isJsonObject(value)) {
      for (const [name, member] of Object.entries(value))
        learn(member, mask === true || (isJsonObject(mask) ? mask[name] : false));
    }
  }

  return { hmac, redact, learn, holdsSecret };
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
