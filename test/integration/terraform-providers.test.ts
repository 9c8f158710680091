import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, it } from "node:test";
import { checkEnvelope } from "@xcloudflow/model/envelope";
import type { InputValue } from "@xcloudflow/model/input-value";
import { requireEngine } from "../support/engines.ts";
import { createTerraformFixture, type TerraformFixture } from "./terraform-fixture.ts";

const providers = requireEngine("terraform-providers");
const tofu = requireEngine("tofu");

/** Terraform's CLI configuration with a filesystem mirror and no way to a registry. */
function writeCliConfig(folder: string): string {
  const path = join(folder, "mirror.tfrc");
  writeFileSync(path, `provider_installation {\n  filesystem_mirror {\n    path = "${providers.path}"\n  }\n}\n`);
  return path;
}

describe("terraform with providers from a filesystem mirror", { skip: providers.skip }, () => {
  let folder: string;
  let fixture: TerraformFixture;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "xcf-mirror-"));
    fixture = await createTerraformFixture({}, { cliConfigFile: writeCliConfig(folder) });
  });
  beforeEach(() => fixture.plane.states.clear());
  after(async () => {
    await fixture[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  const file = () => join(folder, "made.txt");
  const local = () => ({
    "main.tf": `resource "local_file" "f" {\n  filename = "${file()}"\n  content = "made"\n}\nresource "random_id" "r" { byte_length = 4 }`,
  });

  it("installs, plans and applies with what the mirror has, and says that versions were left open", async () => {
    const plan = await fixture.plan(local());
    assert.equal(plan.summary.create, 2);
    assert.match(plan.hazards.join(), /no \.terraform\.lock\.hcl/);
    assert.match(plan.locks[".terraform.lock.hcl"] ?? "", /^sha256:/);
    assert.equal((await fixture.apply(local())).kind, "applied");
    assert.equal(readFileSync(file(), "utf8"), "made");
  });

  it("finds what was changed outside, and nothing else", async () => {
    assert.equal((await fixture.apply(local())).kind, "applied");
    const none = await fixture.plane.run(fixture.spec(local(), { kind: "drift" }));
    assert.deepEqual(none, { kind: "drifted", changes: [] });
    rmSync(file());
    const drift = await fixture.plane.run(fixture.spec(local(), { kind: "drift" }));
    assert(drift.kind === "drifted", JSON.stringify(drift));
    assert.deepEqual(
      drift.changes.map(({ address, actions }) => ({ address, actions })),
      [{ address: "local_file.f", actions: ["delete"] }],
    );
    const ignored = await fixture.plane.run(fixture.spec(local(), { kind: "drift", ignoreDrift: ["local_file.*"] }));
    assert.deepEqual(ignored, { kind: "drifted", changes: [] });
    const plan = await fixture.plan(local());
    assert.deepEqual(
      plan.drift.map(({ address }) => address),
      ["local_file.f"],
    );
    assert.deepEqual(plan.summary, { create: 1, update: 0, replace: 0, delete: 0, noop: 1 });
  });

  it("refuses a lock file that does not cover the module, and honours one that does", async () => {
    const wrong = await fixture.plane.run(fixture.spec({ ...local(), "modules/db/.terraform.lock.hcl": "" }));
    assert(wrong.kind === "failed", JSON.stringify(wrong));
    assert.equal(wrong.failure.code, "LOCK_FILE_OUTDATED");
  });

  it("plans provisionally with providers of the module's own, fresh and with state, inside the envelope", async () => {
    const module = {
      "main.tf": `
terraform {
  required_providers {
    random = { source = "hashicorp/random" }
  }
}
provider "random" {}
variable "prefix" {}
resource "random_id" "r" {
  byte_length = 4
  keepers     = { p = var.prefix }
}
resource "local_file" "f" {
  filename = "${file()}"
  content  = var.prefix
}
output "id" { value = random_id.r.hex }
`,
    };
    const later: InputValue = { $xcf: "unknown", address: "dev/net/vpc", output: "id", sensitive: false };
    const fresh = await fixture.plan(module, { provisional: true, inputs: { prefix: later } });
    assert.equal(fresh.status, "provisional");
    assert.equal(fresh.summary.create, 2);
    const real = await fixture.plan(module, { inputs: { prefix: "p" } });
    const context = {
      policy: { verdict: "allow" as const, denials: [], warnings: [] },
      approvedWarnings: [],
      sensitivePaths: [],
    };
    assert.deepEqual(checkEnvelope(fresh, real, context), { within: true });

    assert.equal((await fixture.apply(module, { inputs: { prefix: "p" } })).kind, "applied");
    const stated = await fixture.plan(module, { provisional: true, inputs: { prefix: later } });
    assert.deepEqual(Object.fromEntries(stated.changes.map((change) => [change.address, change.actions.join()])), {
      "random_id.r": "delete,create",
      "local_file.f": "delete,create",
    });
    const unchanged = await fixture.plan(module, { inputs: { prefix: "p" } });
    assert.deepEqual(checkEnvelope(stated, unchanged, context), { within: true });
  });

  it("drives OpenTofu where a unit asks for it, and never applies its plan with terraform", {
    skip: tofu.skip,
  }, async () => {
    const { createTerraformEngine } = await import("@xcloudflow/runner-terraform/terraform-engine");
    const { createSystemClock } = await import("@xcloudflow/chassis/clock");
    const { engineEnvironment } = await import("@xcloudflow/runner-host/engine-environment");
    const engine = await createTerraformEngine({
      binary: tofu.path,
      cacheRoot: join(folder, "tofu"),
      cliConfigFile: writeCliConfig(folder),
      environment: engineEnvironment(process.env),
      clock: createSystemClock(),
    });
    assert.match(engine.version, /^opentofu 1\./);
    await using other = await createTerraformFixture({ engines: [engine] });
    const applied = await other.apply(local());
    assert.equal(applied.kind, "applied", JSON.stringify(applied));
    const again = await other.plan(local());
    assert.equal(again.status, "unchanged");
    const destroy = await other.plan(local(), { destroy: true });
    const plan = { artefact: destroy.artefact ?? "", digest: destroy.artefactDigest ?? "", ...destroy.prior };
    for (const [id, bytes] of other.plane.artefacts) fixture.plane.artefacts.set(id, bytes);
    const refused = await fixture.plane.run(
      fixture.spec(local(), { kind: "apply", plan, engineVersion: destroy.engineVersion }),
    );
    assert(refused.kind === "failed");
    assert.equal(refused.failure.code, "ENGINE_VERSION_CHANGED");
    assert.equal(refused.effects, "none");
  });
});
