import assert from "node:assert/strict";
import { test } from "node:test";
import { kindSchema } from "./kubernetes-schemas.ts";

const definitions = {
  Pod: {
    "x-kubernetes-group-version-kind": [{ group: "apps", version: "v1", kind: "Pod" }],
    properties: { kind: { type: "string" }, spec: { $ref: "#/definitions/Spec" } },
  },
  Spec: { properties: { port: { $ref: "#/definitions/io.IntOrString" }, next: { $ref: "#/definitions/Spec" } } },
  "io.IntOrString": { type: "string" },
  Stranger: { properties: {} },
};

test("a kind brings the definitions it reaches and no others, cycles included", () => {
  const schema = JSON.parse(JSON.stringify(kindSchema("Pod", definitions)));
  assert.deepEqual(Object.keys(schema.definitions).sort(), ["Pod", "Spec", "io.IntOrString"]);
});

test("unknown fields are refused, and the kind and version are the kind's own", () => {
  const { Pod, Spec } = JSON.parse(JSON.stringify(kindSchema("Pod", definitions))).definitions;
  assert.equal(Spec.additionalProperties, false);
  assert.deepEqual(Pod.properties.apiVersion, { const: "apps/v1" });
  assert.deepEqual(Pod.properties.kind, { const: "Pod" });
});

test("a document without the kind is an error that names it", () => {
  assert.throws(() => kindSchema("Gone", definitions), /no Gone/);
});
