import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { jsonSchemas } from "./json-schema.ts";

const FOLDER = new URL("../../schema/", import.meta.url);

/** `UPDATE_SCHEMAS=1 node --test …/json-schema.test.ts` writes what is checked here. */
if (process.env.UPDATE_SCHEMAS === "1") {
  mkdirSync(FOLDER, { recursive: true });
  for (const [file, schema] of jsonSchemas()) writeFileSync(new URL(file, FOLDER), print(schema));
}

function print(schema: unknown): string {
  return `${JSON.stringify(schema, undefined, 2)}\n`;
}

test("the published schemas are those of the validator", () => {
  const schemas = jsonSchemas();
  assert.deepEqual(readdirSync(FOLDER).sort(), [...schemas.keys()].sort());
  for (const [file, schema] of schemas) {
    assert.equal(readFileSync(new URL(file, FOLDER), "utf8"), print(schema), `${file}: run with UPDATE_SCHEMAS=1`);
  }
});
