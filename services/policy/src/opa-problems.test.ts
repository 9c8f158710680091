import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { REMOVED_BUILTINS, restrictCapabilities } from "./opa-capabilities.ts";
import { readCheckErrors, readDataErrors, readForeignSchemas, readTestResults } from "./opa-problems.ts";

const location = { file: "policies/a.rego", row: 3, col: 7 };

describe("what opa printed, as problems", () => {
  test("a removed built-in is said to be removed, another unknown function is not", () => {
    const errors = ["http.send", "nosuch"].map((name) => ({
      message: `undefined function ${name}`,
      code: "rego_type_error",
      location,
    }));
    const [removed, unknown] = readCheckErrors(JSON.stringify({ errors }));
    assert.equal(removed?.message, "policies may not use http.send");
    assert.equal(removed?.code, "POLICY_BUILTIN_REMOVED");
    assert.equal(unknown?.code, "REGO_TYPE_ERROR");
    assert.deepEqual([removed?.file, removed?.line, removed?.col], ["policies/a.rego", 3, 7]);
  });

  test("what is not the expected JSON is not taken for no problem", () => {
    assert.throws(() => readCheckErrors("panic: out of memory"));
    assert.throws(() => readCheckErrors("{}"));
    assert.throws(() => readTestResults('{"error": "x"}'));
  });

  test("a data file is named by the path people know", () => {
    const [problem] = readDataErrors(
      JSON.stringify({
        errors: [{ message: "../data/policies/data/x/a.yaml: error converting YAML to JSON: yaml: line 2: oops" }],
      }),
    );
    assert.deepEqual([problem?.file, problem?.line], ["policies/data/x/a.yaml", 2]);
  });

  test("schemas that refer to files and addresses are found however deep they are", () => {
    const inspect = (definition: object) =>
      JSON.stringify({ annotations: [{ annotations: { schemas: [{ definition }] }, location }] });
    assert.equal(readForeignSchemas(inspect({ properties: { x: { $ref: "file:///etc/passwd" } } })).length, 1);
    assert.equal(readForeignSchemas(inspect({ $id: "http://x/y", properties: { x: { $ref: "#/z" } } })).length, 1);
    assert.equal(
      readForeignSchemas(inspect({ properties: { id: { type: "string" }, x: { $ref: "#/definitions/x" } } })).length,
      0,
    );
    assert.equal(readForeignSchemas("{}").length, 0);
  });

  test("no tests are no problem", () => {
    assert.deepEqual(readTestResults("null"), { problems: [], passed: 0 });
  });
});

test("capabilities lose the removed built-ins and every host, and nothing else", () => {
  const names = ["count", "net.cidr_contains", ...REMOVED_BUILTINS.keys()];
  const restricted: unknown = JSON.parse(
    restrictCapabilities(
      JSON.stringify({ builtins: names.map((name) => ({ name, decl: {} })), features: ["rego_v1"] }),
    ),
  );
  assert.deepEqual(restricted, {
    builtins: ["count", "net.cidr_contains"].map((name) => ({ name, decl: {} })),
    features: ["rego_v1"],
    allow_net: [],
  });
});
