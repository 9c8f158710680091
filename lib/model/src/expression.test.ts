import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { formatTemplate, parseTemplate, type Reference, type Template } from "./expression.ts";

function template(text: string): Template {
  const result = parseTemplate(text);
  assert.ok(result.ok, JSON.stringify(result));
  return result.template;
}

describe("the grammar", () => {
  const outputs = {
    kind: "outputs",
    environment: undefined,
    composition: "network-prod",
    region: undefined,
    module: "vpc",
    output: "subnet_ids",
    path: [],
  };
  const cases: readonly [string, readonly unknown[]][] = [
    ["", []],
    ["plain", ["plain"]],
    [`\${env.name}`, [{ kind: "env", field: "name" }]],
    [`\${env.tier}`, [{ kind: "env", field: "tier" }]],
    [`\${region}`, [{ kind: "region" }]],
    [`\${ region }`, [{ kind: "region" }]],
    [`\${var.domain}`, [{ kind: "var", name: "domain", path: [] }]],
    [`\${param.size}`, [{ kind: "param", name: "size", path: [] }]],
    [`\${var.zones[0].name}`, [{ kind: "var", name: "zones", path: [0, "name"] }]],
    [`\${outputs.network-prod.vpc.subnet_ids}`, [outputs]],
    [`\${outputs.network-prod.vpc.subnet_ids[1].id}`, [{ ...outputs, path: [1, "id"] }]],
    [`\${outputs.network-prod@eu-west-1.vpc.subnet_ids}`, [{ ...outputs, region: "eu-west-1" }]],
    [`\${outputs.shared:network-prod.vpc.subnet_ids}`, [{ ...outputs, environment: "shared" }]],
    [
      `\${outputs.shared:network-prod@eu-west-1.vpc.subnet_ids}`,
      [{ ...outputs, environment: "shared", region: "eu-west-1" }],
    ],
    [`a-\${region}-b-\${env.name}`, ["a-", { kind: "region" }, "-b-", { kind: "env", field: "name" }]],
    [`$\${region}`, [`\${region}`]],
    [`$$\${region}`, [`$\${region}`]],
    ["$5 and 100%", ["$5 and 100%"]],
    [`a$\${x}\${region}`, [`a\${x}`, { kind: "region" }]],
    ['sum(rate(x{code=~"5.."}[5m]))', ['sum(rate(x{code=~"5.."}[5m]))']],
  ];
  for (const [text, parts] of cases) test(JSON.stringify(text), () => assert.deepEqual(template(text), parts));
});

describe("what is wrong", () => {
  const cases: readonly [text: string, code: string, offset: number, hint: string][] = [
    [`\${`, "EXPRESSION_SYNTAX", 0, 'add "}", or write $${ for the text itself'],
    [`abc \${var.x`, "EXPRESSION_SYNTAX", 4, 'add "}", or write $${ for the text itself'],
    [`\${}`, "EXPRESSION_UNKNOWN", 0, "there are env, region, var, param and outputs; write $${ for the text itself"],
    [
      `x\${HOME}`,
      "EXPRESSION_UNKNOWN",
      1,
      "there are env, region, var, param and outputs; write $${ for the text itself",
    ],
    [`\${env.nam}`, "EXPRESSION_SYNTAX", 0, `write \${env.name} or \${env.tier}`],
    [`\${var}`, "EXPRESSION_SYNTAX", 0, `write \${var.<name>}`],
    [`\${param.1x}`, "EXPRESSION_SYNTAX", 0, `write \${param.<name>}`],
    [`\${outputs.a.b}`, "EXPRESSION_SYNTAX", 0, `write \${outputs.<composition>.<module>.<output>}`],
    [`\${outputs.A.b.c}`, "EXPRESSION_SYNTAX", 0, `write \${outputs.<composition>.<module>.<output>}`],
    [`\${var.a..b}`, "EXPRESSION_SYNTAX", 0, `write \${var.<name>}`],
    [`\${var.a[x]}`, "EXPRESSION_SYNTAX", 0, `write \${var.<name>}`],
  ];
  for (const [text, code, offset, hint] of cases) {
    test(JSON.stringify(text), () => {
      const result = parseTemplate(text);
      assert.ok(!result.ok);
      assert.deepEqual(
        result.faults.map((fault) => [fault.code, fault.offset, fault.hint]),
        [[code, offset, hint]],
      );
    });
  }

  test("every faulty expression of a string is named", () => {
    const result = parseTemplate(`\${a} \${region} \${b}`);
    assert.ok(!result.ok);
    assert.deepEqual(
      result.faults.map((fault) => fault.offset),
      [0, 15],
    );
  });
});

describe("for any text", () => {
  const name = fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,10}$/);
  const identifier = fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_-]{0,10}$/);
  const path = fc.array(fc.oneof(identifier, fc.nat({ max: 999 })), { maxLength: 3 });
  const maybe = fc.option(name, { nil: undefined });
  const reference: fc.Arbitrary<Reference> = fc.oneof(
    fc.constant<Reference>({ kind: "region" }),
    fc.constantFrom("name" as const, "tier" as const).map((field): Reference => ({ kind: "env", field })),
    fc
      .tuple(fc.constantFrom("var" as const, "param" as const), identifier, path)
      .map(([kind, of, steps]): Reference => ({ kind, name: of, path: steps })),
    fc.record(
      {
        kind: fc.constant("outputs" as const),
        environment: maybe,
        composition: name,
        region: maybe,
        module: name,
        output: identifier,
        path,
      },
      { noNullPrototype: true },
    ),
  );
  /** A dollar right before an expression would read as an escape, which the language has no way around. */
  const literal = fc
    .oneof(fc.string({ minLength: 1 }), fc.constantFrom("${", "$${x}", "$$", "}", "{"))
    .filter((text) => !text.endsWith("$"));
  const parts = fc.array(fc.oneof(reference, literal)).map((items) => {
    return items.filter((item, index) => typeof item !== "string" || typeof items[index - 1] !== "string");
  });

  test("what is printed reads back as the same template", () => {
    fc.assert(
      fc.property(parts, (expected) => assert.deepEqual(template(formatTemplate(expected)), expected)),
      { numRuns: 2_000 },
    );
  });

  test("a text without expressions is itself, and escaped it is itself too", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        if (!text.includes("${")) assert.deepEqual(template(text), text === "" ? [] : [text]);
        const escaped = text.replaceAll("${", () => "$${");
        assert.deepEqual(template(escaped), text === "" ? [] : [text]);
      }),
    );
  });

  test("reading never throws", () => {
    const noise = fc
      .array(fc.constantFrom("$", "{", "}", "${", "$${", "outputs", ".", "var", "x", "[", "0", "]", "@", ":", "\n"))
      .map((bits) => bits.join(""));
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: "binary" }), noise), (text) => void parseTemplate(text)),
      { numRuns: 2_000 },
    );
  });
});
