import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { resolveStatic, type StaticScope } from "./expression-resolution.ts";
import type { InputValue } from "./input-value.ts";

const scope: StaticScope = {
  environment: { name: "prod", tier: "production" },
  region: "eu-west-1",
  variables: {
    domain: "example.com",
    zones: [{ name: "a" }, { name: "b" }],
    dbPassword: "secret://vault/kv/db#pw",
    port: 5432,
    off: false,
  },
  parameters: { size: "large", count: 3, tags: { team: "payments" } },
  secrets: "node",
  bindOutput: ({ composition, module, region }) =>
    composition === "gone"
      ? { fault: { code: "COMPOSITION_MISSING", message: "there is no composition", hint: "add it" } }
      : { address: `prod/${composition}${region === undefined ? "" : `@${region}`}/${module}` },
};

function resolved(value: InputValue): InputValue {
  const result = resolveStatic(value, scope);
  assert.deepEqual(result.faults, []);
  return result.value;
}

const vpcIds = { $xcf: "output", address: "prod/net/vpc", output: "ids" };

describe("a value", () => {
  const cases: readonly [string, InputValue, unknown][] = [
    ["plain text stays", "x", "x"],
    ["numbers, booleans and null stay", [1, true, null], [1, true, null]],
    ["the environment's name and tier", `\${env.name}/\${env.tier}`, "prod/production"],
    ["the region", `\${region}`, "eu-west-1"],
    ["a whole reference keeps a number's type", `\${param.count}`, 3],
    ["a whole reference keeps a boolean's type", `\${var.off}`, false],
    ["a whole reference keeps a map", `\${param.tags}`, { team: "payments" }],
    ["a path leads into a value", `\${var.zones[1].name}`, "b"],
    ["embedded, a number becomes text", `:\${var.port}/`, ":5432/"],
    ["embedded, a boolean becomes text", `is \${var.off}`, "is false"],
    ["an escape is text", `$\${region}`, `\${region}`],
    ["a whole output is a node", `\${outputs.net.vpc.ids}`, vpcIds],
    ["an output's path is kept", `\${outputs.net.vpc.ids[0]}`, { ...vpcIds, path: [0] }],
    ["another region's output", `\${outputs.net@us-east-1.vpc.ids}`, { ...vpcIds, address: "prod/net@us-east-1/vpc" }],
    [
      "an embedded output makes a template",
      `x-\${outputs.net.vpc.ids}-\${region}`,
      { $xcf: "template", parts: ["x-", vpcIds, "-eu-west-1"] },
    ],
    ["a secret is a node", "secret://vault/kv/db#pw", { $xcf: "secret", ref: "secret://vault/kv/db#pw" }],
    [
      "a secret's path may have variables",
      `secret://vault/\${env.name}/db`,
      { $xcf: "secret", ref: "secret://vault/prod/db" },
    ],
    [
      "a variable that holds a secret is a secret",
      `\${var.dbPassword}`,
      { $xcf: "secret", ref: "secret://vault/kv/db#pw" },
    ],
    [
      "a secret inside text is a node of a template",
      `user:\${var.dbPassword}@\${var.domain}`,
      { $xcf: "template", parts: ["user:", { $xcf: "secret", ref: "secret://vault/kv/db#pw" }, "@example.com"] },
    ],
    [
      "maps and lists are searched",
      { a: [`\${region}`, { b: `\${param.size}` }] },
      { a: ["eu-west-1", { b: "large" }] },
    ],
  ];
  for (const [name, value, expected] of cases) test(name, () => assert.deepEqual(resolved(value), expected));

  test("what is put in is not searched again", () => {
    const sly: StaticScope = { ...scope, variables: { x: `\${param.size}` } };
    assert.equal(resolveStatic(`\${var.x}`, sly).value, `\${param.size}`);
    assert.equal(resolveStatic(`-\${var.x}`, sly).value, `-\${param.size}`);
  });
});

describe("a fault", () => {
  const cases: readonly [string, InputValue, Partial<StaticScope>, code: string, message: RegExp, hint: RegExp][] = [
    [
      "an undefined variable, with the nearest",
      `\${var.domian}`,
      {},
      "VARIABLE_UNDEFINED",
      /var\.domian/,
      /did you mean "domain"\?/,
    ],
    ["an undefined parameter", `\${param.nothing}`, {}, "PARAMETER_UNDEFINED", /param\.nothing/, /parameters/],
    ["a name of Object's prototype", `\${var.constructor}`, {}, "VARIABLE_UNDEFINED", /constructor/, /./],
    ["a path that leads nowhere", `\${var.zones[7].name}`, {}, "EXPRESSION_UNDEFINED", /leads to nothing/, /zones/],
    ["a region where there is none", `\${region}`, { region: undefined }, "EXPRESSION_UNDEFINED", /region/, /regions/],
    ["a map inside text", `x\${param.tags}`, {}, "EXPRESSION_MISPLACED", /a map/, /whole value/],
    ["a list inside text", `x\${var.zones}`, {}, "EXPRESSION_MISPLACED", /a list/, /whole value/],
    [
      "parameters where there are none",
      `\${param.size}`,
      { parameters: undefined },
      "EXPRESSION_MISPLACED",
      /cannot be used here/,
      /^$/,
    ],
    [
      "outputs where there are none",
      `\${outputs.a.b.c}`,
      { bindOutput: undefined },
      "EXPRESSION_MISPLACED",
      /cannot be used here/,
      /^$/,
    ],
    ["an output that cannot be bound", `\${outputs.gone.b.c}`, {}, "COMPOSITION_MISSING", /no composition/, /add it/],
    ["a secret where none may be", "secret://env/X", { secrets: "refuse" }, "EXPRESSION_MISPLACED", /secret/, /inputs/],
    ["a malformed secret", "secret://vault", {}, "SECRET_SYNTAX", /secret:\/\/vault/, /secret:\/\/<backend>/],
    ["a secret that would leave its backend", "secret://sops/../../etc/passwd", {}, "SECRET_SYNTAX", /passwd/, /./],
    [
      "an output in a secret's path",
      `secret://vault/\${outputs.net.vpc.ids}`,
      {},
      "EXPRESSION_MISPLACED",
      /secret's path/,
      /./,
    ],
    ["a malformed expression", `\${foo}`, {}, "EXPRESSION_UNKNOWN", /foo/, /there are env/],
  ];
  for (const [name, value, change, code, message, hint] of cases) {
    test(name, () => {
      const { faults, value: left } = resolveStatic({ deep: [value] }, { ...scope, ...change });
      assert.equal(faults.length, 1, JSON.stringify(faults));
      assert.deepEqual(faults[0]?.path, ["deep", 0]);
      assert.equal(faults[0]?.code, code);
      assert.match(faults[0]?.message ?? "", message);
      assert.match(faults[0]?.hint ?? "", hint);
      assert.deepEqual(left, { deep: [value] });
    });
  }
});

test("a secret is left as text where it becomes a node later", () => {
  assert.equal(resolveStatic(`\${var.dbPassword}`, { ...scope, secrets: "text" }).value, "secret://vault/kv/db#pw");
});

test("resolving never throws, whatever the tree", () => {
  fc.assert(fc.property(fc.jsonValue(), (value) => void resolveStatic(JSON.parse(JSON.stringify(value)), scope)));
});
