import { canonicalJson } from "./canonical-json.ts";
import { isJsonObject, type JsonValue } from "./json-value.ts";
import type { ResourceChange } from "./unit-plan.ts";

export interface ValueViolation {
  readonly path: string;
  readonly rule: "value" | "sensitivePath";
  readonly message: string;
}

type Visit = (path: readonly string[], rule: ValueViolation["rule"], message: string) => void;

interface Pair {
  readonly value: JsonValue | undefined;
  /** Mirrors `value`: `true` where it is unknown, absent or false elsewhere. */
  readonly unknown: JsonValue | undefined;
}

/**
 * What differs between the approved and the real values of one resource outside of what was marked unknown, and each
 * unknown that meets a path of `sensitive` (dot separated, `*` for any part).
 */
export function valueViolations(
  approved: ResourceChange,
  real: ResourceChange,
  sensitive: readonly string[],
): ValueViolation[] {
  const found: ValueViolation[] = [];
  const patterns = sensitive.map((pattern) => pattern.split("."));
  const visit: Visit = (path, rule, message) => found.push({ path: path.join("."), rule, message });
  if (patterns.length > 0)
    visitUnknowns(approved.unknown, [], (path) => {
      if (patterns.some((pattern) => meets(pattern, path)))
        visit(path, "sensitivePath", "policy lets nobody approve this without its value");
    });
  compare(
    { value: approved.after, unknown: approved.unknown },
    { value: real.after, unknown: real.unknown },
    [],
    visit,
  );
  return found;
}

function compare(approved: Pair, real: Pair, path: readonly string[], visit: Visit): void {
  if (approved.unknown === true) return;
  if (real.unknown === true) {
    visit(path, "value", "is unknown now, approved was a value");
    return;
  }
  if (isContainer(approved) && isContainer(real) && isList(approved) === isList(real)) {
    if (isList(approved) && lengthOf(approved) !== lengthOf(real)) {
      visit(path, "value", `has ${lengthOf(real)} elements, approved were ${lengthOf(approved)}`);
      return;
    }
    for (const key of new Set([...keysOf(approved), ...keysOf(real)]))
      compare(childOf(approved, key), childOf(real, key), [...path, key], visit);
    return;
  }
  if (!same(approved.value, real.value))
    visit(path, "value", `is ${shown(real.value)}, approved was ${shown(approved.value)}`);
}

function visitUnknowns(
  unknown: JsonValue | undefined,
  path: readonly string[],
  visit: (path: readonly string[]) => void,
): void {
  if (unknown === true) visit(path);
  else if (Array.isArray(unknown))
    for (const [index, item] of unknown.entries()) visitUnknowns(item, [...path, String(index)], visit);
  else if (isJsonObject(unknown))
    for (const [key, member] of Object.entries(unknown)) visitUnknowns(member, [...path, key], visit);
}

/** One lies inside the other. A key with dots in it may be written with its dots. */
function meets(pattern: readonly string[], path: readonly string[]): boolean {
  const parts = path.flatMap((part) => part.split("."));
  const length = Math.min(pattern.length, parts.length);
  for (let index = 0; index < length; index += 1)
    if (pattern[index] !== "*" && pattern[index] !== parts[index]) return false;
  return true;
}

/** A value whose members can be compared one by one; what is wholly unknown, or missing but for unknown members, counts too. */
function isContainer({ value, unknown }: Pair): boolean {
  if (value === undefined) return isList({ value, unknown }) || isJsonObject(unknown);
  return Array.isArray(value) || isJsonObject(value);
}

function isList({ value, unknown }: Pair): boolean {
  return Array.isArray(value ?? unknown);
}

function lengthOf({ value, unknown }: Pair): number {
  return Math.max(Array.isArray(value) ? value.length : 0, Array.isArray(unknown) ? unknown.length : 0);
}

function keysOf({ value, unknown }: Pair): string[] {
  return [
    ...(typeof value === "object" && value !== null ? Object.keys(value) : []),
    ...(typeof unknown === "object" && unknown !== null ? unknownKeys(unknown) : []),
  ];
}

/** Members of the mask that mark something; `false` and empty masks are how some engines spell "all known". */
function unknownKeys(mask: JsonValue): string[] {
  if (Array.isArray(mask)) return Object.keys(mask);
  return isJsonObject(mask) ? Object.keys(mask).filter((key) => marksAny(mask[key])) : [];
}

function marksAny(mask: JsonValue | undefined): boolean {
  if (Array.isArray(mask)) return mask.some(marksAny);
  if (isJsonObject(mask)) return Object.values(mask).some(marksAny);
  return mask === true;
}

function childOf({ value, unknown }: Pair, key: string): Pair {
  return { value: memberOf(value, key), unknown: memberOf(unknown, key) };
}

function memberOf(value: JsonValue | undefined, key: string): JsonValue | undefined {
  if (Array.isArray(value)) return value[Number(key)];
  return isJsonObject(value) && Object.hasOwn(value, key) ? value[key] : undefined;
}

function same(a: JsonValue | undefined, b: JsonValue | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return canonicalJson(a) === canonicalJson(b);
}

const SHOWN_CHARACTERS = 80;

function shown(value: JsonValue | undefined): string {
  if (value === undefined) return "absent";
  const text = canonicalJson(value);
  return text.length <= SHOWN_CHARACTERS ? text : `${text.slice(0, SHOWN_CHARACTERS)}…`;
}
