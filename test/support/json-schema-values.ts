import fc from "fast-check";
import { z } from "zod";

const nodeSchema = z.looseObject({
  $ref: z.string().optional(),
  type: z.string().optional(),
  const: z.json().optional(),
  enum: z.array(z.json()).optional(),
  anyOf: z.array(z.unknown()).optional(),
  oneOf: z.array(z.unknown()).optional(),
  properties: z.record(z.string(), z.unknown()).optional(),
  required: z.array(z.string()).optional(),
  additionalProperties: z.unknown().optional(),
  items: z.unknown().optional(),
  $defs: z.record(z.string(), z.unknown()).optional(),
});

/** Values of a JSON Schema's shape. Patterns, formats and bounds are not kept: the shape is what is of interest. */
export function valuesOf(
  schema: unknown,
  definitions?: Readonly<Record<string, unknown>>,
  depth = 0,
): fc.Arbitrary<unknown> {
  const node = nodeSchema.safeParse(schema);
  if (!node.success || depth > 12) return fc.constantFrom("x", "y", null);
  const { data } = node;
  const known = definitions ?? data.$defs ?? {};
  const inner = (part: unknown): fc.Arbitrary<unknown> => valuesOf(part, known, depth + 1);
  if (data.$ref !== undefined) return inner(known[data.$ref.split("/").at(-1) ?? ""]);
  if ("const" in data && data.const !== undefined) return fc.constant(data.const);
  if (data.enum !== undefined) return fc.constantFrom(...data.enum);
  const choices = data.anyOf ?? data.oneOf;
  if (choices !== undefined) return fc.oneof(...choices.map(inner));
  switch (data.type) {
    case "object":
      return data.properties === undefined
        ? fc.dictionary(fc.constantFrom("a", "b"), inner(data.additionalProperties), { maxKeys: 2 })
        : fc.record(Object.fromEntries(Object.entries(data.properties).map(([name, part]) => [name, inner(part)])), {
            requiredKeys: data.required ?? [],
          });
    case "array":
      return fc.array(inner(data.items), { maxLength: 2 });
    case "string":
      return fc.string({ maxLength: 8 });
    case "integer":
    case "number":
      return fc.nat(1_000_000);
    case "boolean":
      return fc.boolean();
    case "null":
      return fc.constant(null);
    default:
      return fc.constantFrom("x", 1, true, null);
  }
}

export type Path = readonly (string | number)[];

/** The path of every value in a document that holds no other. */
export function leavesOf(value: unknown, path: Path = []): Path[] {
  if (typeof value !== "object" || value === null) return [path];
  const entries = Array.isArray(value) ? [...value.entries()] : Object.entries(value);
  return entries.length === 0 ? [path] : entries.flatMap(([key, part]) => leavesOf(part, [...path, key]));
}

/** The document with something else at one path. */
export function changedAt(value: unknown, [key, ...rest]: Path, change: (old: unknown) => unknown): unknown {
  if (key === undefined) return change(value);
  if (Array.isArray(value)) return value.map((part, index) => (index === key ? changedAt(part, rest, change) : part));
  if (typeof value !== "object" || value === null) throw new TypeError("the path leads nowhere");
  return Object.fromEntries(
    Object.entries(value).map(([name, part]) => [name, name === key ? changedAt(part, rest, change) : part]),
  );
}
