import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { literalString, scanHcl } from "./hcl-scan.ts";

describe("scanHcl", () => {
  it("finds blocks, labels and attributes, past comments, strings, templates and heredocs", () => {
    const { attributes, blocks } = scanHcl(`
# variable "no" {}
/* variable "no" {} */
top = [1, {
  a = "}" # }
}]
variable "a" { default = "\${jsonencode({ x = "}" })} {" }
variable b {
  description = <<-EOT
    variable "no" { }
    }
  EOT
  sensitive = true
}
resource "aws_instance" "web" {
  count = var.a == "x" ? 1 : 0
  tags  = { for k, v in var.b : k => "%{ if v == "{" }\${v}%{ endif }" }
  lifecycle {
    ignore_changes = [tags]
  }
}
`);
    assert.equal(attributes.get("top"), '[1, {\n  a = "}" # }\n}]');
    assert.deepEqual(
      blocks.map(({ type, labels, line }) => ({ type, labels, line })),
      [
        { type: "variable", labels: ["a"], line: 7 },
        { type: "variable", labels: ["b"], line: 8 },
        { type: "resource", labels: ["aws_instance", "web"], line: 15 },
      ],
    );
    assert.equal(blocks[1]?.body.attributes.get("sensitive"), "true");
    assert.deepEqual([...(blocks[2]?.body.attributes.keys() ?? [])], ["count", "tags"]);
    assert.equal(blocks[2]?.body.blocks[0]?.type, "lifecycle");
  });

  it("ends on any text, and never throws", () => {
    const token = fc.constantFrom(
      "{",
      "}",
      '"',
      "${",
      "%{",
      "<<EOT\n",
      "EOT\n",
      "\n",
      "#",
      "/*",
      "*/",
      "a",
      " = ",
      "[",
      "]",
      "\\",
      "variable ",
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(token).map((parts) => parts.join("")),
        ),
        (text) => {
          scanHcl(text);
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it("is not exhausted by deep nesting", () => {
    assert.doesNotThrow(() => scanHcl("a {\n".repeat(50_000)));
    assert.doesNotThrow(() => scanHcl(`a = ${"[".repeat(50_000)}`));
  });

  it("finds again whatever blocks were written", () => {
    const name = fc.stringMatching(/^[a-z_][a-z0-9_-]{0,8}$/);
    const value = fc.oneof(
      fc.string().map((text) =>
        JSON.stringify(text)
          .replaceAll("${", () => "$${")
          .replaceAll("%{", () => "%%{"),
      ),
      fc.constantFrom('"${a["}"]}"', "{ x = 1 }", "[\n1,\n2\n]", "<<X\n } {\nX", "f(1, {})"),
    );
    const block = fc.record(
      {
        labels: fc.array(name, { maxLength: 2 }),
        attributes: fc.uniqueArray(fc.tuple(name, value), { selector: ([key]) => key }),
      },
      { noNullPrototype: true },
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(name, block)), (written) => {
        const text = written
          .map(
            ([type, { labels, attributes }]) =>
              `${type} ${labels.map((label) => `"${label}"`).join(" ")} {\n${attributes.map(([key, expression]) => `  ${key} = ${expression}\n`).join("")}}\n`,
          )
          .join("# {\n");
        const found = scanHcl(text).blocks.map(({ type, labels, body }) => [
          type,
          { labels, attributes: [...body.attributes] },
        ]);
        assert.deepEqual(found, written);
      }),
      { numRuns: 500 },
    );
  });
});

describe("literalString", () => {
  it("reads a plain string and nothing that has to be evaluated", () => {
    assert.equal(literalString('"../x"'), "../x");
    assert.equal(literalString('"a\\"b $5 100%"'), 'a"b $5 100%');
    assert.equal(literalString('"${var.x}"'), undefined);
    assert.equal(literalString('"%{ if a }"'), undefined);
    assert.equal(literalString("var.x"), undefined);
    assert.equal(literalString('"a" + "b"'), undefined);
    assert.equal(literalString(undefined), undefined);
  });
});
