import { z } from "zod";
import { routeSchema } from "../route.ts";
import { DOCUMENT_SCHEMAS, KINDS } from "./document.ts";
import { problemSchema } from "./problem.ts";

/** A JSON Schema as it is published. */
export type JsonSchema = z.core.JSONSchema.BaseSchema;

const BASE = "https://xcloudflow.io/schemas/v1alpha1";

/**
 * Every published JSON Schema by file name, made from the validator's own source: one for each kind of document, one
 * for any document (`dsl`, for editors), and those of outputs. What a schema cannot say (a time zone, a pinned commit)
 * only the validator checks.
 */
export function jsonSchemas(): ReadonlyMap<string, JsonSchema> {
  const schemas = new Map<string, JsonSchema>();
  const kinds = KINDS.map((kind) => ({ kind, schema: toSchema(DOCUMENT_SCHEMAS[kind], "input") }));
  for (const { kind, schema } of kinds) add(schemas, fileName(kind), `XCloudFlow ${kind}`, schema);
  const any = { oneOf: kinds.map(({ schema }) => withoutDialect(schema)) };
  add(schemas, "dsl.schema.json", "A document of the XCloudFlow DSL", any);
  add(schemas, "route.schema.json", "Route of a unit", toSchema(routeSchema, "output"));
  add(schemas, "problem.schema.json", "Problem in a DSL file", toSchema(problemSchema, "output"));
  return schemas;
}

/** `ApprovalRule` → `approval-rule.schema.json` */
function fileName(kind: string): string {
  const words = kind.replaceAll(/(?<=[a-z])(?=[A-Z])/g, "-").toLowerCase();
  return `${words}.schema.json`;
}

function toSchema(schema: z.ZodType, io: "input" | "output"): JsonSchema {
  return z.toJSONSchema(schema, { io, target: "draft-2020-12", unrepresentable: "any" });
}

function withoutDialect({ $schema: _dialect, ...schema }: JsonSchema): JsonSchema {
  return schema;
}

function add(schemas: Map<string, JsonSchema>, file: string, title: string, schema: JsonSchema): void {
  schemas.set(file, {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    $id: `${BASE}/${file}`,
    title,
    ...withoutDialect(schema),
  });
}
