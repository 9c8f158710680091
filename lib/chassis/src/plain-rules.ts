import { type DescField, type DescMessage, getOption, hasOption, isFieldSet, type Message } from "@bufbuild/protobuf";
import { type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";
import {
  type FieldRules,
  FieldRulesSchema,
  field as fieldRule,
  message as messageRule,
  oneof as oneofRule,
  RepeatedRulesSchema,
  StringRulesSchema,
  UInt32RulesSchema,
  UInt64RulesSchema,
} from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import type { FieldViolation } from "./google-rpc-details.ts";

/** Appends what is wrong with a message whose fields' paths start with `path`. */
export type PlainCheck = (message: ReflectMessage, path: string, found: FieldViolation[]) => void;

/** `undefined`: the type uses a rule this file does not know, and needs protovalidate. */
export type PlainChecks = { readonly checks: readonly PlainCheck[] } | undefined;

type ValueCheck = (value: unknown) => readonly [rule: string, description: string] | undefined;

const ONLY = {
  string: ["min_len", "max_len", "in"],
  repeated: ["min_items", "max_items"],
  uint: ["gt", "gte", "lt", "lte"],
};

/**
 * The few protovalidate rules that our messages use, checked without its CEL engine: loading that costs a short-lived
 * `xcf` 150 ms and 30 MB. The verdicts are protovalidate's, which a property test compares over every request message.
 */
export function compilePlainRules(desc: DescMessage, compiled = new Map<DescMessage, PlainChecks>()): PlainChecks {
  if (compiled.has(desc)) return compiled.get(desc);
  // A type that contains itself meets this entry; such types are left to protovalidate.
  compiled.set(desc, undefined);
  const result = compileMessage(desc, compiled);
  compiled.set(desc, result);
  return result;
}

export function runPlainRules(checks: readonly PlainCheck[], desc: DescMessage, message: Message): FieldViolation[] {
  const found: FieldViolation[] = [];
  if (checks.length === 0) return found;
  const reflected = reflect(desc, message);
  for (const check of checks) check(reflected, "", found);
  return found;
}

function compileMessage(desc: DescMessage, compiled: Map<DescMessage, PlainChecks>): PlainChecks {
  if (hasOption(desc, messageRule) || desc.oneofs.some((oneof) => hasOption(oneof, oneofRule))) return undefined;
  const checks: PlainCheck[] = [];
  for (const field of desc.fields) {
    if (hasOption(field, fieldRule)) {
      const check = compileField(getOption(field, fieldRule));
      if (check === undefined) return undefined;
      checks.push(onValue(field, check));
    }
    const child = childOf(field);
    if (child === undefined) continue;
    const inner = compilePlainRules(child, compiled);
    if (inner === undefined) return undefined;
    if (inner.checks.length > 0) checks.push(onChildren(field, inner.checks));
  }
  return { checks };
}

function childOf(field: DescField): DescMessage | undefined {
  return field.fieldKind === "message" || field.fieldKind === "list" || field.fieldKind === "map"
    ? field.message
    : undefined;
}

function compileField(rules: FieldRules): ValueCheck | undefined {
  const others = FieldRulesSchema.fields.filter((field) => field.oneof === undefined);
  if (others.some((field) => isFieldSet(rules, field))) return undefined;
  const { type } = rules;
  if (type.case === "string" && setsOnly(StringRulesSchema, type.value, ONLY.string)) {
    const { minLen, maxLen } = type.value;
    const allowed = type.value.in;
    const least = isFieldSet(type.value, StringRulesSchema.field.minLen) ? Number(minLen) : 0;
    const most = isFieldSet(type.value, StringRulesSchema.field.maxLen) ? Number(maxLen) : Number.POSITIVE_INFINITY;
    return (value) => checkString(String(value), least, most, allowed);
  }
  if (type.case === "repeated" && setsOnly(RepeatedRulesSchema, type.value, ONLY.repeated)) {
    const least = Number(type.value.minItems);
    const most = isFieldSet(type.value, RepeatedRulesSchema.field.maxItems)
      ? Number(type.value.maxItems)
      : Number.POSITIVE_INFINITY;
    return (value) => checkItems(sizeOf(value), least, most);
  }
  if (type.case === "uint32" && setsOnly(UInt32RulesSchema, type.value, ONLY.uint)) return compileBounds(type.value);
  if (type.case === "uint64" && setsOnly(UInt64RulesSchema, type.value, ONLY.uint)) return compileBounds(type.value);
  return undefined;
}

function setsOnly<T extends Message>(desc: DescMessage, rules: T, names: readonly string[]): boolean {
  return desc.fields.every((field) => names.includes(field.name) || !isFieldSet(rules, field));
}

function checkString(text: string, least: number, most: number, allowed: readonly string[]): ReturnType<ValueCheck> {
  const length = [...text].length;
  if (length < least)
    return ["string.min_len", least === 1 ? "must not be empty" : `must be at least ${least} characters`];
  if (length > most) return ["string.max_len", `must be at most ${most} characters`];
  if (allowed.length > 0 && !allowed.includes(text)) return ["string.in", `must be one of ${allowed.join(", ")}`];
  return undefined;
}

function checkItems(count: number, least: number, most: number): ReturnType<ValueCheck> {
  if (count < least) return ["repeated.min_items", `must hold at least ${least}`];
  if (count > most) return ["repeated.max_items", `must hold at most ${most}`];
  return undefined;
}

interface Bounds {
  readonly greaterThan: { readonly case: "gt" | "gte" | undefined; readonly value?: number | bigint | undefined };
  readonly lessThan: { readonly case: "lt" | "lte" | undefined; readonly value?: number | bigint | undefined };
}

function compileBounds({ greaterThan, lessThan }: Bounds): ValueCheck | undefined {
  const low = greaterThan.value;
  const high = lessThan.value;
  // Crossed bounds mean "outside of" to protovalidate; nobody here writes them.
  if (low !== undefined && high !== undefined && high <= low) return undefined;
  return (value) => {
    if (typeof value !== "number" && typeof value !== "bigint") return undefined;
    if (low !== undefined && !(value > low || (greaterThan.case === "gte" && value === low))) {
      return [`number.${greaterThan.case}`, `must be ${greaterThan.case === "gte" ? "at least" : "more than"} ${low}`];
    }
    if (high !== undefined && !(value < high || (lessThan.case === "lte" && value === high))) {
      return [`number.${lessThan.case}`, `must be ${lessThan.case === "lte" ? "at most" : "less than"} ${high}`];
    }
    return undefined;
  };
}

function onValue(field: DescField, check: ValueCheck): PlainCheck {
  const skipsUnset = field.presence !== IMPLICIT_PRESENCE && field.fieldKind !== "list" && field.fieldKind !== "map";
  return (message, path, found) => {
    if (skipsUnset && !message.isSet(field)) return;
    const problem = check(message.get(field));
    if (problem !== undefined)
      found.push({ field: `${path}${field.name}`, reason: problem[0], description: problem[1] });
  };
}

/** `FeatureSet.FieldPresence.IMPLICIT` of google/protobuf/descriptor.proto: proto3 scalars without `optional`. */
const IMPLICIT_PRESENCE = 2;

function onChildren(field: DescField, checks: readonly PlainCheck[]): PlainCheck {
  const run = (message: ReflectMessage, path: string, found: FieldViolation[]): void => {
    for (const check of checks) check(message, `${path}.`, found);
  };
  return (message, path, found) => {
    const at = `${path}${field.name}`;
    if (field.fieldKind === "message") {
      if (message.isSet(field)) run(message.get(field), at, found);
    } else if (field.fieldKind === "list" && field.listKind === "message") {
      let index = 0;
      for (const item of message.get(field)) if (isReflected(item)) run(item, `${at}[${index++}]`, found);
    } else if (field.fieldKind === "map" && field.mapKind === "message") {
      for (const [key, item] of message.get(field))
        if (isReflected(item)) run(item, `${at}[${JSON.stringify(key)}]`, found);
    }
  };
}

function isReflected(value: unknown): value is ReflectMessage {
  return typeof value === "object" && value !== null && "desc" in value && "isSet" in value;
}

function sizeOf(value: unknown): number {
  return typeof value === "object" && value !== null && "size" in value ? Number(value.size) : 0;
}
