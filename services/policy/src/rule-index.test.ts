import assert from "node:assert/strict";
import { test } from "node:test";
import { indexRules, policiesAnswerSchema } from "./rule-index.ts";

const part = (value: string) => ({ type: "string", value });
const moduleOf = (path: string[], ...names: string[]) => ({
  package: { path: [{ type: "var", value: "data" }, ...path.map(part)] },
  rules: names.map((name) => ({ head: { name, ref: [{ type: "var", value: name }] } })),
});

test("rules are counted over the files of a package, in the order of the files", () => {
  const answer = policiesAnswerSchema.parse({
    result: [
      { id: "b.rego", ast: moduleOf(["main"], "deny", "warn_x", "helper") },
      { id: "a.rego", ast: moduleOf(["main"], "deny", "tighten") },
      { id: "c.rego", ast: moduleOf(["k8s", "pod-security"], "violation_a_b", "denyall", "deny_") },
    ],
  });
  assert.deepEqual(indexRules(answer).namespaces, [
    {
      name: "main",
      ref: "data.main",
      rules: [
        { name: "deny", severity: "failure", definitions: 2 },
        { name: "warn_x", severity: "warning", definitions: 1 },
      ],
      speaks: ["tighten"],
    },
    {
      name: 'k8s["pod-security"]',
      ref: 'data.k8s["pod-security"]',
      rules: [{ name: "violation_a_b", severity: "failure", definitions: 1 }],
      speaks: [],
    },
  ]);
});
