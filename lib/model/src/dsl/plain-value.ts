import { type InputValue, isInputNode } from "../input-value.ts";

/** A value as YAML can write it: JSON with ordinary numbers, and nothing that stands for something else. */
export type PlainValue = null | boolean | number | string | readonly PlainValue[] | PlainMap;

export interface PlainMap {
  readonly [key: string]: PlainValue;
}

export function isPlainMap(value: PlainValue | undefined): value is PlainMap {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The value with null for every node: for places whose expressions can make none. */
export function withoutNodes(value: InputValue): PlainValue {
  if (typeof value !== "object" || value === null) return value;
  if (isInputNode(value)) return null;
  if (isList(value)) return value.map(withoutNodes);
  return Object.fromEntries(Object.entries<InputValue>(value).map(([key, member]) => [key, withoutNodes(member)]));
}

function isList(value: InputValue): value is readonly InputValue[] {
  return Array.isArray(value);
}

/** What a path leads to in a value; undefined where it leads nowhere. */
export function valueAt(root: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, part) => (typeof value === "object" && value !== null ? Reflect.get(value, part) : undefined),
    root,
  );
}
