import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { outputJsonSchemas } from "./output-schemas.ts";

const FOLDER = new URL("../../schema/", import.meta.url);

/** `UPDATE_SCHEMAS=1 node --test …/output-schemas.test.ts` writes what is checked here. */
if (process.env.UPDATE_SCHEMAS === "1") {
  mkdirSync(FOLDER, { recursive: true });
  for (const [file, schema] of outputJsonSchemas()) writeFileSync(new URL(file, FOLDER), print(schema));
}

function print(schema: unknown): string {
  return `${JSON.stringify(schema, undefined, 2)}\n`;
}

test("the published schemas are those the verbs print by", () => {
  const schemas = outputJsonSchemas();
  assert.deepEqual(readdirSync(FOLDER).sort(), [...schemas.keys()].sort());
  for (const [file, schema] of schemas)
    assert.equal(readFileSync(new URL(file, FOLDER), "utf8"), print(schema), `${file}: run with UPDATE_SCHEMAS=1`);
});

test("every name is lowerCamelCase", () => {
  const names = [...outputJsonSchemas().values()].flatMap(propertyNames);
  assert.deepEqual(
    [...new Set(names)].filter((name) => !/^[a-z][A-Za-z0-9]*$/.test(name)),
    [],
  );
});

function propertyNames(schema: unknown): string[] {
  if (typeof schema !== "object" || schema === null) return [];
  return Object.entries(schema).flatMap(([key, value]) => [
    ...(key === "properties" ? Object.keys(value) : []),
    ...propertyNames(value),
  ]);
}
