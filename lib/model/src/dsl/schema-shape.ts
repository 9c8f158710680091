import { z } from "zod";

/**
 * The schemas that could describe the value at `path`, given the value at the root: wrappers are opened, and of a
 * union with a discriminator only the option that the value names is followed. Used for "did you mean" only.
 */
export function schemasAt(root: z.core.$ZodType, value: unknown, path: readonly PropertyKey[]): z.core.$ZodType[] {
  let found = open(root, value);
  let current = value;
  for (const part of path) {
    current = memberOf(current, part);
    found = found.flatMap((schema) => stepInto(schema, part)).flatMap((schema) => open(schema, current));
  }
  return found;
}

export function memberOf(value: unknown, part: PropertyKey): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, part) : undefined;
}

function stepInto(schema: z.core.$ZodType, part: PropertyKey): z.core.$ZodType[] {
  if (schema instanceof z.ZodObject) {
    const member: unknown = Object.hasOwn(schema.shape, part) ? Reflect.get(schema.shape, part) : undefined;
    return member instanceof z.ZodType ? [member] : [];
  }
  if (schema instanceof z.ZodArray) return [schema.element];
  if (schema instanceof z.ZodRecord) return [schema.valueType];
  return [];
}

function open(schema: z.core.$ZodType, value: unknown): z.core.$ZodType[] {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable || schema instanceof z.ZodDefault) {
    return open(schema.def.innerType, value);
  }
  if (schema instanceof z.ZodPipe) return open(schema.def.in, value);
  if (schema instanceof z.ZodDiscriminatedUnion) {
    const name = schema.def.discriminator;
    const chosen = schema.options.filter((option) => discriminates(option, name, memberOf(value, name)));
    return (chosen.length > 0 ? chosen : schema.options).flatMap((option) => open(option, value));
  }
  if (schema instanceof z.ZodUnion) return schema.options.flatMap((option) => open(option, value));
  return [schema];
}

function discriminates(option: z.core.$ZodType, name: string, value: unknown): boolean {
  if (!(option instanceof z.ZodObject)) return false;
  const member: unknown = Reflect.get(option.shape, name);
  return member instanceof z.ZodLiteral && member.values.has(value as never);
}

/** Keys an object may have here, in the order they are written in the schema. */
export function keysAt(root: z.core.$ZodType, value: unknown, path: readonly PropertyKey[]): string[] {
  const keys = new Set<string>();
  for (const schema of schemasAt(root, value, path)) {
    if (schema instanceof z.ZodObject) for (const key of Object.keys(schema.shape)) keys.add(key);
    if (schema instanceof z.ZodRecord && schema.keyType instanceof z.ZodEnum) {
      for (const key of schema.keyType.options) keys.add(String(key));
    }
  }
  return [...keys];
}

/** Texts that a value may be here, where the schema lists them. */
export function choicesAt(root: z.core.$ZodType, value: unknown, path: readonly PropertyKey[]): string[] {
  return schemasAt(root, value, path).flatMap((schema) => {
    if (schema instanceof z.ZodEnum) return schema.options.map(String);
    if (schema instanceof z.ZodLiteral) return [...schema.values].map(String);
    return [];
  });
}
