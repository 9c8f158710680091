import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, beforeEach, describe, it } from "node:test";
import type { InputValue } from "@xcloudflow/model/input-value";
import { isJsonObject, type JsonValue } from "@xcloudflow/model/json-value";
import { createTerraformFixture, type TerraformFixture, UNIT } from "./terraform-fixture.ts";

const unknown = (sensitive = false): InputValue => ({
  $xcf: "unknown",
  address: "dev/net/vpc",
  output: "id",
  sensitive,
});

const MODULE = {
  "main.tf": `
terraform {
  backend "s3" {}
}
variable "vpc" {}
variable "name" { type = string }
variable "tags" {
  type    = map(string)
  default = {}
}
variable "list" {
  type    = list(string)
  default = []
}
resource "terraform_data" "net" { input = { vpc = var.vpc, name = var.name, tags = var.tags, list = var.list } }
resource "terraform_data" "known" {
  input            = "\${path.module}/x \${path.cwd == abspath(path.module)} \${fileexists("\${path.root}/extra.txt")}"
  triggers_replace = var.name
}
module "child" {
  source = "../child"
  vpc    = var.vpc
}
output "vpc" { value = var.vpc }
output "name" { value = var.name }
output "id" { value = terraform_data.net.id }
`,
  "extra.txt": "x",
  "modules/child/main.tf":
    'variable "vpc" {}\nresource "terraform_data" "inner" {\n  for_each = toset(["a", "b"])\n  input = "${each.key}-${var.vpc}"\n}',
};

function member(value: JsonValue | undefined, name: string): JsonValue | undefined {
  return isJsonObject(value) ? value[name] : undefined;
}

const inputOf = (value: JsonValue | undefined): JsonValue | undefined => member(value, "input");

describe("provisional plans", () => {
  let fixture: TerraformFixture;
  before(async () => {
    fixture = await createTerraformFixture();
  });
  beforeEach(() => fixture.plane.states.clear());
  after(() => fixture[Symbol.asyncDispose]());

  const provisional = { provisional: true, inputs: { vpc: unknown(), name: "db" } };

  it("shows a fresh unit as it will be, with what is unknown as unknown, and is never applicable", async () => {
    const plan = await fixture.plan(MODULE, provisional);
    assert.equal(plan.status, "provisional");
    assert.equal(plan.artefact, undefined);
    assert.deepEqual(plan.changes.map(({ address }) => address).sort(), [
      'module.child.terraform_data.inner["a"]',
      'module.child.terraform_data.inner["b"]',
      "terraform_data.known",
      "terraform_data.net",
    ]);
    const net = plan.changes.find(({ address }) => address === "terraform_data.net");
    assert.deepEqual(net?.after, { input: { list: [], name: "db", tags: {} }, triggers_replace: null });
    assert.deepEqual(net?.unknown, { id: true, input: { vpc: true }, output: true });
    assert.equal(plan.outputs["vpc"]?.unknown, true);
    assert.deepEqual(plan.outputs["name"], { unknown: false, sensitive: false, value: "db", type: "string" });
    assert.equal(fixture.plane.states.size, 0);
  });

  it("has the values of the real plan wherever it claims to know them", async () => {
    const before = await fixture.plan(MODULE, provisional);
    const real = await fixture.plan(MODULE, { inputs: { vpc: "vpc-1", name: "db" } });
    const known = (plan: typeof real) => plan.changes.find(({ address }) => address === "terraform_data.known");
    assert.deepEqual(known(before)?.after, { input: "./x true true", triggers_replace: "db" });
    assert.deepEqual(known(before), known(real));
    assert.deepEqual(
      before.changes.map(({ address }) => address).sort(),
      real.changes.map(({ address }) => address).sort(),
    );
  });

  it("plans against the state that is there, and leaves it as it is", async () => {
    assert.equal((await fixture.apply(MODULE, { inputs: { vpc: "vpc-1", name: "db" } })).kind, "applied");
    const state = fixture.plane.states.get(UNIT);
    fixture.plane.requests.length = 0;
    const plan = await fixture.plan(MODULE, { ...provisional, inputs: { vpc: unknown(), name: "renamed" } });
    assert.equal(plan.status, "provisional");
    assert.deepEqual(Object.fromEntries(plan.changes.map((change) => [change.address, change.actions.join()])), {
      "terraform_data.net": "update",
      "terraform_data.known": "delete,create",
      'module.child.terraform_data.inner["a"]': "update",
      'module.child.terraform_data.inner["b"]': "update",
    });
    assert.equal(plan.prior.serial, 1);
    assert.equal(fixture.plane.states.get(UNIT), state);
    assert.deepEqual(fixture.plane.requests, [`GET ${UNIT}`]);
    const net = plan.changes.find(({ address }) => address === "terraform_data.net");
    assert.deepEqual(inputOf(net?.before), { list: [], name: "db", tags: {}, vpc: "vpc-1" });
  });

  it("sees what is removed from the module", async () => {
    const larger = { ...MODULE, "more.tf": 'resource "terraform_data" "gone" {\n  input = terraform_data.net.id\n}' };
    assert.equal((await fixture.apply(larger, { inputs: { vpc: "vpc-1", name: "db" } })).kind, "applied");
    const plan = await fixture.plan(MODULE, provisional);
    assert.deepEqual(
      plan.changes.filter(({ actions }) => actions[0] === "delete").map(({ address }) => address),
      ["terraform_data.gone"],
    );
  });

  it("keeps unknowns inside of larger values, templates and lists", async () => {
    const inputs = {
      vpc: { $xcf: "template", parts: ["vpc/", unknown(), "/${x}"] } as const,
      name: "a ${b} %{c}",
      tags: { known: "${k}", later: unknown() },
      list: ["a", unknown()],
    };
    const plan = await fixture.plan(MODULE, { provisional: true, inputs });
    const net = plan.changes.find(({ address }) => address === "terraform_data.net");
    assert.deepEqual(inputOf(net?.after), {
      list: ["a", null],
      name: "a ${b} %{c}",
      tags: { known: "${k}" },
    });
    assert.deepEqual(net?.unknown, {
      id: true,
      input: { list: [false, true], tags: { later: true }, vpc: true },
      output: true,
    });
  });

  it("keeps a sensitive unknown sensitive", async () => {
    const module = {
      "main.tf": `${MODULE["main.tf"].replace('output "vpc" { value = var.vpc }', 'output "vpc" {\n value = var.vpc\n sensitive = true\n}')}`,
      "modules/child/main.tf": MODULE["modules/child/main.tf"],
    };
    const plan = await fixture.plan(module, { provisional: true, inputs: { vpc: unknown(true), name: "db" } });
    assert.deepEqual(plan.outputs["vpc"]?.sensitive, true);
    const net = plan.changes.find(({ address }) => address === "terraform_data.net");
    assert.deepEqual(inputOf(net?.sensitive), { vpc: true });
  });

  it("takes secrets and variable files along", async () => {
    fixture.plane.secretValues.set("secret://env/N", "geheimnis-77");
    const module = {
      ...MODULE,
      "main.tf": MODULE["main.tf"].replace('output "name" { value = var.name }', ""),
      "modules/db/terraform.tfvars": 'tags = { from = "file" }',
    };
    const plan = await fixture.plan(module, {
      provisional: true,
      inputs: { vpc: unknown(), name: { $xcf: "secret", ref: "secret://env/N" } },
    });
    assert.equal(plan.status, "provisional");
    assert.doesNotMatch(JSON.stringify([plan, fixture.plane.logs]), /geheimnis/);
    const net = plan.changes.find(({ address }) => address === "terraform_data.net");
    assert.deepEqual(member(inputOf(net?.after), "tags"), { from: "file" });
  });

  it("defers a unit whose count or for_each depends on what is unknown", async () => {
    for (const meta of ["count = length(var.vpc)", "for_each = toset(var.vpc)"]) {
      const plan = await fixture.plan(
        {
          "main.tf": `variable "vpc" {}\nresource "terraform_data" "x" { \n${meta}\n}\noutput "o" {\n value = 1\n sensitive = true\n}`,
        },
        { provisional: true, inputs: { vpc: unknown() } },
      );
      assert.equal(plan.status, "deferred", meta);
      assert.match(plan.hazards.join("\n"), /deferred until its inputs are known: Invalid (?:count|for_each) argument/);
      assert.deepEqual(plan.changes, []);
      assert.deepEqual(plan.outputs, { o: { unknown: true, sensitive: true } });
      assert.equal(plan.artefact, undefined);
    }
  });

  it("defers a module that cannot be called as a child", async () => {
    const plan = await fixture.plan(
      {
        "main.tf":
          'variable "vpc" {}\nresource "terraform_data" "x" { input = var.vpc }\nimport {\n  to = terraform_data.x\n  id = "some"\n}',
      },
      { provisional: true, inputs: { vpc: unknown() } },
    );
    assert.equal(plan.status, "deferred");
    assert.match(plan.hazards.join("\n"), /import blocks/);
  });

  it("fails, and does not defer, when the module itself is wrong", async () => {
    const result = await fixture.plane.run(
      fixture.spec(
        { "main.tf": 'variable "vpc" {}\nresource "terraform_data" "x" {\n  input = local.nothing\n}' },
        { provisional: true, inputs: { vpc: unknown() } },
      ),
    );
    assert(result.kind === "failed", JSON.stringify(result));
    assert.equal(result.failure.where, "modules/db/main.tf:3");
    assert.match(result.failure.message, /Reference to undeclared local value/);
  });

  it("plans a destruction whose inputs are unknown", async () => {
    assert.equal((await fixture.apply(MODULE, { inputs: { vpc: "vpc-1", name: "db" } })).kind, "applied");
    const plan = await fixture.plan(MODULE, { ...provisional, destroy: true });
    assert.equal(plan.status, "provisional");
    assert.deepEqual(plan.summary, { create: 0, update: 0, replace: 0, delete: 4, noop: 0 });
  });

  it("replaces what it is told to", async () => {
    assert.equal((await fixture.apply(MODULE, { inputs: { vpc: "vpc-1", name: "db" } })).kind, "applied");
    const plan = await fixture.plan(MODULE, { ...provisional, replace: ["terraform_data.known"] });
    assert.deepEqual(plan.changes.find(({ address }) => address === "terraform_data.known")?.actions, [
      "delete",
      "create",
    ]);
  });

  it("plans a unit whose state is in a backend of its own, without touching it", async () => {
    const path = `${fixture.folder}/own`;
    const own = {
      "main.tf": `terraform {\n  backend "local" {\n    path = "${path}/x.tfstate"\n    workspace_dir = "${path}"\n  }\n}\nvariable "vpc" {}\nresource "terraform_data" "a" { input = var.vpc }`,
    };
    const engineConfig = { backend: "module", workspace: "blue" };
    const applied = await fixture.apply(own, { engineConfig, inputs: { vpc: "v" } });
    assert.equal(applied.kind, "applied", JSON.stringify(applied));
    const before = readFileSync(`${path}/blue/terraform.tfstate`, "utf8");
    const plan = await fixture.plan(own, { engineConfig, provisional: true, inputs: { vpc: unknown() } });
    assert.deepEqual([plan.status, plan.summary.update, plan.prior.serial], ["provisional", 1, 1]);
    assert.equal(readFileSync(`${path}/blue/terraform.tfstate`, "utf8"), before);
  });
});
