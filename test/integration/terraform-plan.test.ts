import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { createTerraformFixture, type TerraformFixture, UNIT } from "./terraform-fixture.ts";

const MODULE = {
  "main.tf": `
variable "size" { type = string }
resource "terraform_data" "a" { input = var.size }
output "size" { value = terraform_data.a.input }
`,
};

describe("terraform plan and apply", () => {
  let fixture: TerraformFixture;
  before(async () => {
    fixture = await createTerraformFixture();
  });
  after(() => fixture[Symbol.asyncDispose]());

  it("plans a creation, applies exactly it, and finds nothing to do afterwards", async () => {
    const plan = await fixture.plan(MODULE, { inputs: { size: "small" } });
    assert.equal(plan.status, "planned");
    assert.deepEqual(plan.summary, { create: 1, update: 0, replace: 0, delete: 0, noop: 0 });
    assert.deepEqual(
      plan.changes.map(({ address, actions }) => ({ address, actions })),
      [{ address: "terraform_data.a", actions: ["create"] }],
    );
    assert.deepEqual(plan.prior, { serial: 0, lineage: "" });

    const applied = await fixture.apply(MODULE, { inputs: { size: "small" } });
    assert.equal(applied.kind, "applied", JSON.stringify(applied));
    assert(applied.kind === "applied");
    assert.equal(applied.serial, 1);
    assert.deepEqual(applied.outputs["size"], { unknown: false, sensitive: false, value: "small", type: "string" });

    const again = await fixture.plan(MODULE, { inputs: { size: "small" } });
    assert.equal(again.status, "unchanged");
    assert.deepEqual(again.outputs["size"], { unknown: false, sensitive: false, value: "small", type: "string" });
    assert.equal(again.summary.noop, 1);
    assert.equal(again.artefact, undefined);
    assert.equal(again.address, UNIT);
  });
});
