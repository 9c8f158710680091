import { isJsonObject, type JsonValue } from "@xcloudflow/model/json-value";

/**
 * The value a reference's key names: a member of the outermost object, or, where there is none of that name, a path of
 * names and indexes joined by dots (`db.primary.password`, `hosts.0`). Undefined when there is nothing.
 */
export function findKey(document: JsonValue, key: string): JsonValue | undefined {
  if (isJsonObject(document) && Object.hasOwn(document, key)) return document[key];
  let found: JsonValue | undefined = document;
  for (const part of key.split(".")) {
    if (isJsonObject(found)) found = Object.hasOwn(found, part) ? found[part] : undefined;
    else found = Array.isArray(found) && /^\d+$/.test(part) ? found[Number(part)] : undefined;
  }
  return found;
}

/** Text stays as it is, anything else becomes JSON. */
export function secretTextOf(value: JsonValue): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
