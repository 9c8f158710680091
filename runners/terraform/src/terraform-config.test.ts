import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { configFiles, readTerraformConfig, type TerraformConfig, type TerraformProduct } from "./terraform-config.ts";

function read(files: Readonly<Record<string, string>>, product: TerraformProduct = "terraform"): TerraformConfig {
  const folder = mkdtempSync(join(tmpdir(), "xcf-config-"));
  try {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    return readTerraformConfig(folder, product);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe("readTerraformConfig", () => {
  it("reads native and JSON syntax alike", () => {
    const native = read({
      "main.tf": `
terraform {
  required_version = ">= 1.5"
  backend "s3" {}
}
variable "a" {}
variable "b" {
  default   = 1
  ephemeral = true
}
output "o" {
  value     = 1
  sensitive = true
}
module "m" {
  source  = "ns/name/aws"
  version = "1.2.3"
}
provider "aws" {
  alias = "west"
}
`,
    });
    const json = read({
      "main.tf.json": JSON.stringify({
        terraform: { required_version: ">= 1.5", backend: { s3: {} } },
        variable: { a: {}, b: { default: 1, ephemeral: true } },
        output: { o: { value: 1, sensitive: true } },
        module: { m: { source: "ns/name/aws", version: "1.2.3" } },
        provider: { aws: [{ alias: "west" }] },
      }),
    });
    for (const config of [native, json]) {
      assert.deepEqual(
        [...config.variables],
        [
          ["a", { required: true, ephemeral: false }],
          ["b", { required: false, ephemeral: true }],
        ],
      );
      assert.deepEqual([...config.outputs], [["o", { sensitive: true }]]);
      assert.deepEqual([...config.modules], [["m", { source: "ns/name/aws", version: "1.2.3" }]]);
      assert.deepEqual([...config.providerBlocks], ["aws.west"]);
      assert.deepEqual(config.requiredVersions, [">= 1.5"]);
      assert.equal(config.backend, "s3");
    }
  });

  it("merges override files last, and knows what only a root may have", () => {
    const config = read({
      "override.tf": 'variable "a" { default = 1 }\nterraform {\n  backend "gcs" {}\n}',
      "main.tf": 'variable "a" {}\nterraform {\n  cloud {}\n}\nimport {\n  to = x.y\n  id = "1"\n}',
    });
    assert.equal(config.variables.get("a")?.required, false);
    assert.equal(config.backend, "gcs");
    assert.deepEqual([...config.rootOnly], ["import"]);
    assert.equal(config.lastOverride, "override.tf");
  });

  it("says the same facts for modules that install the same, and others when they do not", () => {
    const base = 'resource "random_id" "a" {\n  byte_length = 1\n}';
    const facts = (text: string): string => JSON.stringify(read({ "main.tf": text }).installFacts);
    assert.equal(
      facts(base),
      facts(`${base.replace("= 1", "= 2")}\nlocals {\n  x = 1\n}\nresource "random_id" "b" {}`),
    );
    assert.notEqual(facts(base), facts(`${base}\nresource "null_resource" "n" {}`));
    assert.notEqual(facts(base), facts(`${base}\nmodule "m" {\n  source = "./m"\n}`));
    assert.notEqual(facts(base), facts(`${base}\nprovider "random" {\n  version = "~> 2"\n}`));
    assert.notEqual(
      facts(base),
      facts(`${base}\nterraform {\n  required_providers {\n    random = { source = "x/random" }\n  }\n}`),
    );
    assert.notEqual(facts(base), facts(`${base}\nlocals {\n  x = provider::time::rfc3339_parse("1")\n}`));
    assert.notEqual(facts(base), facts('resource "random_id" "a" {\n  provider = other.x\n}'));
  });

  it("passes over files that cannot be understood", () => {
    assert.doesNotThrow(() => read({ "main.tf.json": "{", "x.tf": "variable {{{" }));
  });
});

describe("configFiles", () => {
  it("knows terraform's order, what it ignores, and OpenTofu's own files", () => {
    const names = [
      "b.tf",
      "a.tf",
      "x_override.tf",
      "override.tf.json",
      ".hidden.tf",
      "a.tf~",
      "#a.tf#",
      "a.tofu",
      "README.md",
    ];
    assert.deepEqual(configFiles(names, "terraform"), ["a.tf", "b.tf", "override.tf.json", "x_override.tf"]);
    assert.deepEqual(configFiles(names, "opentofu"), ["a.tofu", "b.tf", "override.tf.json", "x_override.tf"]);
    assert.deepEqual(configFiles(["~xcf_override.tf.json", "zz_override.tf"], "terraform"), [
      "zz_override.tf",
      "~xcf_override.tf.json",
    ]);
  });
});
