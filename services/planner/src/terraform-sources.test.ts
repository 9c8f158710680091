import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { scanTerraformSources } from "./terraform-sources.ts";

const sources = (text: string, name = "main.tf"): string[] =>
  scanTerraformSources(name, text).map(({ source }) => source);

test("finds the source of every module call with its place", () => {
  const text = 'module "a" {\n  source = "../a"\n}\n\nmodule "b" { source = "./b" }\n';
  assert.deepEqual(scanTerraformSources("main.tf", text), [
    { source: "../a", line: 2, col: 12 },
    { source: "./b", line: 5, col: 23 },
  ]);
});

test("finds a source after nested blocks, strings with templates and heredocs", () => {
  const text = [
    'module "a" {',
    "  providers = { aws = aws.x }",
    '  tags = { source = "../not-this", b = "${upper("}")}" }',
    "  script = <<-EOT",
    '    source = "../nor-this"',
    "  EOT",
    '  source = "../a"',
    "}",
  ].join("\n");
  assert.deepEqual(sources(text), ["../a"]);
});

test("ignores comments, other blocks, and sources that are not literal", () => {
  const text = [
    '# module "x" { source = "../x" }',
    '/* module "y" { source = "../y" } */',
    '// source = "../z"',
    'resource "module" "r" { source = "../r" }',
    'module "v" { source = "${var.where}/x" }',
    "locals { module = 1 }",
  ].join("\n");
  assert.deepEqual(sources(text), []);
});

test("reads JSON configuration in both of its forms", () => {
  assert.deepEqual(sources('{"module": {"a": {"source": "../a"}}}', "main.tf.json"), ["../a"]);
  assert.deepEqual(sources('{"module": [{"a": [{"source": "../a"}]}, {"b": {"source": "./b"}}]}', "main.tf.json"), [
    "../a",
    "./b",
  ]);
});

test("ends on any text, and never reports a source that does not stand in it", () => {
  const pieces = fc.array(
    fc.constantFrom(
      'module "a" {',
      "}",
      '"',
      "${",
      "<<EOT\n",
      "EOT\n",
      "/*",
      "*/",
      "#",
      "\n",
      "source = ",
      '"../x"',
      "\\",
      "é",
      "{",
    ),
    {
      maxLength: 60,
    },
  );
  fc.assert(
    fc.property(pieces, (parts) => {
      const text = parts.join("");
      for (const found of sources(text)) assert.ok(text.includes(found));
    }),
    { numRuns: 2_000 },
  );
});

test("a source inside any block but a module call is never taken", () => {
  const block = fc.constantFrom("resource", "data", "provider", "locals", "variable");
  fc.assert(fc.property(block, (kind) => assert.deepEqual(sources(`${kind} "x" "y" {\n source = "../x"\n}\n`), [])));
});
