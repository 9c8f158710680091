import { z } from "zod";
import { addressSchema } from "./address.ts";
import { isJsonObject, isRawNumber, type JsonObject, type JsonValue } from "./json-value.ts";

/**
 * A unit's input: a JSON tree in which an object with the key `$xcf` stands for something that is not known, or must
 * not be known, where the tree travels. One tree serves the compiler (references), the orchestrator (which replaces
 * references by values or unknowns) and the runner (which resolves secrets and sensitive outputs in memory).
 * The DSL refuses the key `$xcf` in what people write.
 */
export type InputValue =
  | null
  | boolean
  | number
  | string
  | readonly InputValue[]
  | { readonly [key: string]: InputValue }
  | InputNode;

export type InputNode = OutputNode | SecretNode | TemplateNode | UnknownNode | SensitiveNode;

/** `${outputs.…}`: another unit's output. `path` descends into it. */
export interface OutputNode {
  readonly $xcf: "output";
  readonly address: string;
  readonly output: string;
  readonly path?: readonly (string | number)[];
}

/** `secret://<backend>/<path>[#key]`, resolved by the secrets service for a runner only. */
export interface SecretNode {
  readonly $xcf: "secret";
  readonly ref: string;
}

/** A string assembled from literal text and nodes. */
export interface TemplateNode {
  readonly $xcf: "template";
  readonly parts: readonly InputValue[];
}

/** A value that exists only after `address` has been applied; `sensitive` survives. */
export interface UnknownNode {
  readonly $xcf: "unknown";
  readonly address: string;
  readonly output: string;
  readonly sensitive: boolean;
}

/** A sensitive output that is known: only a runner may turn it into a value; `hmac` tells whether it changed. */
export interface SensitiveNode {
  readonly $xcf: "sensitive";
  readonly address: string;
  readonly output: string;
  readonly path?: readonly (string | number)[];
  readonly hmac: string;
}

const pathSchema = z.array(z.union([z.string(), z.number()])).optional();

const nodeSchema = z.discriminatedUnion("$xcf", [
  z.strictObject({ $xcf: z.literal("output"), address: addressSchema, output: z.string(), path: pathSchema }),
  z.strictObject({ $xcf: z.literal("secret"), ref: z.string().startsWith("secret://") }),
  z.strictObject({ $xcf: z.literal("template"), parts: z.array(z.custom<InputValue>()) }),
  z.strictObject({ $xcf: z.literal("unknown"), address: addressSchema, output: z.string(), sensitive: z.boolean() }),
  z.strictObject({
    $xcf: z.literal("sensitive"),
    address: addressSchema,
    output: z.string(),
    path: pathSchema,
    hmac: z.string(),
  }),
]);

export function isInputNode(value: InputValue | undefined): value is InputNode {
  return typeof value === "object" && value !== null && !Array.isArray(value) && "$xcf" in value;
}

/** Every node of the tree, depth first, templates opened. */
export function* inputNodes(value: InputValue): Generator<InputNode> {
  if (isInputNode(value)) {
    yield value;
    if (value.$xcf === "template") for (const part of value.parts) yield* inputNodes(part);
  } else if (Array.isArray(value)) {
    for (const item of value) yield* inputNodes(item);
  } else if (typeof value === "object" && value !== null) {
    for (const member of Object.values(value)) yield* inputNodes(member);
  }
}

/** The tree with every node but templates replaced; a template whose parts are all plain text becomes a string. */
export function replaceNodes(
  value: InputValue,
  replace: (node: Exclude<InputNode, TemplateNode>) => InputValue,
): InputValue {
  if (isInputNode(value)) {
    if (value.$xcf !== "template") return replace(value);
    const parts = value.parts.map((part) => replaceNodes(part, replace));
    return parts.every(isScalar) ? parts.map(String).join("") : { $xcf: "template", parts };
  }
  if (Array.isArray(value)) return value.map((item: InputValue) => replaceNodes(item, replace));
  if (typeof value === "object" && value !== null && !isRawNumber(value)) {
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, replaceNodes(member, replace)]));
  }
  return value;
}

function isScalar(value: InputValue): value is string | number | boolean {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean";
}

/** Walks the tree once and refuses a malformed node; plain JSON passes. */
export const inputValueSchema = z.custom<InputValue>((value) => isWellFormed(value as JsonValue));

export const inputsSchema = z.record(z.string(), inputValueSchema);
export type Inputs = Readonly<Record<string, InputValue>>;

function isWellFormed(value: JsonValue): boolean {
  if (Array.isArray(value)) return value.every(isWellFormed);
  if (!isJsonObject(value)) return value !== undefined;
  if ("$xcf" in value && !nodeSchema.safeParse(value).success) return false;
  return Object.values<JsonValue>(value satisfies JsonObject).every(isWellFormed);
}
