import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { hmacOf } from "./terraform-control-plane.ts";
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
  beforeEach(() => fixture.plane.states.clear());
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
    assert.deepEqual(plan.changes[0]?.unknown, { id: true, output: true });

    const applied = await fixture.apply(MODULE, { inputs: { size: "small" } });
    assert(applied.kind === "applied", JSON.stringify(applied));
    assert.equal(applied.serial, 1);
    assert.deepEqual(applied.outputs["size"], { unknown: false, sensitive: false, value: "small", type: "string" });

    const again = await fixture.plan(MODULE, { inputs: { size: "small" } });
    assert.equal(again.status, "unchanged");
    assert.deepEqual(again.outputs["size"], { unknown: false, sensitive: false, value: "small", type: "string" });
    assert.equal(again.summary.noop, 1);
    assert.equal(again.artefact, undefined);
    assert.equal(again.address, UNIT);
    assert.equal(again.prior.serial, 1);
    assert.notEqual(again.prior.lineage, "");
  });

  it("takes no lock and writes nothing while it plans", async () => {
    fixture.plane.requests.length = 0;
    await fixture.plan(MODULE, { inputs: { size: "small" } });
    assert.deepEqual(new Set(fixture.plane.requests.map((request) => request.split(" ")[0])), new Set(["GET"]));
  });

  it("runs init once for modules that install the same, and two processes for a plan", async () => {
    await fixture.plan(MODULE, { inputs: { size: "s1" } });
    fixture.plane.requests.length = 0;
    await fixture.plan(
      { "main.tf": `${MODULE["main.tf"]}\nresource "terraform_data" "b" {}` },
      { inputs: { size: "s1" } },
    );
    // Each of init and plan asks for the state once; show asks for none.
    assert.equal(fixture.plane.requests.length, 1);
  });

  it("tells update, replacement, deletion and a move apart", async () => {
    const first = {
      "main.tf": `
resource "terraform_data" "kept" { input = 1 }
resource "terraform_data" "changed" { input = "before" }
resource "terraform_data" "replaced" { triggers_replace = "before" }
resource "terraform_data" "first" {
  triggers_replace = "before"
  lifecycle { create_before_destroy = true }
}
resource "terraform_data" "gone" {}
resource "terraform_data" "old" {}
`,
    };
    const second = {
      "main.tf": `
resource "terraform_data" "kept" { input = 1 }
resource "terraform_data" "changed" { input = "after" }
resource "terraform_data" "replaced" { triggers_replace = "after" }
resource "terraform_data" "first" {
  triggers_replace = "after"
  lifecycle { create_before_destroy = true }
}
resource "terraform_data" "new" {}
moved {
  from = terraform_data.old
  to   = terraform_data.new
}
`,
    };
    assert.equal((await fixture.apply(first)).kind, "applied");
    const plan = await fixture.plan(second);
    const actions = Object.fromEntries(plan.changes.map((change) => [change.address, change.actions.join(",")]));
    assert.deepEqual(actions, {
      "terraform_data.changed": "update",
      "terraform_data.first": "create,delete",
      "terraform_data.gone": "delete",
      "terraform_data.new": "no-op",
      "terraform_data.replaced": "delete,create",
    });
    assert.equal(
      plan.changes.find(({ address }) => address === "terraform_data.new")?.previousAddress,
      "terraform_data.old",
    );
    assert.deepEqual(plan.changes.find(({ address }) => address === "terraform_data.replaced")?.replacePaths, [
      ["triggers_replace"],
    ]);
    assert.deepEqual(plan.summary, { create: 0, update: 1, replace: 2, delete: 1, noop: 2 });
  });

  it("replaces what it is told to", async () => {
    assert.equal((await fixture.apply(MODULE, { inputs: { size: "s" } })).kind, "applied");
    const plan = await fixture.plan(MODULE, { inputs: { size: "s" }, replace: ["terraform_data.a"] });
    assert.equal(plan.summary.replace, 1);
  });

  it("destroys exactly what a destroy plan says", async () => {
    assert.equal((await fixture.apply(MODULE, { inputs: { size: "s" } })).kind, "applied");
    const plan = await fixture.plan(MODULE, { inputs: { size: "s" }, destroy: true });
    assert.deepEqual(plan.summary, { create: 0, update: 0, replace: 0, delete: 1, noop: 0 });
    assert.equal(plan.destroy, true);
    const destroyed = await fixture.apply(MODULE, { inputs: { size: "s" }, destroy: true });
    assert(destroyed.kind === "applied", JSON.stringify(destroyed));
    assert.deepEqual(destroyed.outputs, {});
    const after = await fixture.plane.run(
      fixture.spec(MODULE, { kind: "verify", inputs: { size: "s" }, destroy: true }),
    );
    assert(after.kind === "verified");
    assert.equal(after.converged, true);
  });

  it("plans an empty module as unchanged", async () => {
    const plan = await fixture.plan({ "main.tf": "" });
    assert.equal(plan.status, "unchanged");
    assert.deepEqual(plan.changes, []);
  });

  it("keeps the digits of numbers", async () => {
    const module = {
      "main.tf": 'variable "n" {}\nresource "terraform_data" "n" { input = var.n }\noutput "n" { value = var.n }',
    };
    const spec = fixture.spec(module);
    const text = JSON.stringify({ ...spec, inputs: { n: "@" } }).replace('"@"', "12345678901234567890.125");
    const { parseJson } = await import("@xcloudflow/model/parse-json");
    const { taskSpecSchema } = await import("@xcloudflow/model/task-spec");
    const result = await fixture.plane.run(taskSpecSchema.parse(parseJson(text, "spec")));
    assert(result.kind === "planned", JSON.stringify(result));
    assert.match(JSON.stringify(result.plan.changes), /"input":12345678901234567890\.125[,}]/);
    assert.match(JSON.stringify(result.plan.outputs), /"value":12345678901234567890\.125[,}]/);
  });

  it("hands texts that look like templates to the module as they are", async () => {
    const applied = await fixture.apply(MODULE, { inputs: { size: "${upper(x)} %{ if y } $${z}" } });
    assert(applied.kind === "applied");
    assert.deepEqual(applied.outputs["size"], {
      unknown: false,
      sensitive: false,
      value: "${upper(x)} %{ if y } $${z}",
      type: "string",
    });
  });

  describe("secrets", () => {
    const SECRET = 'hunter2 "quoted" ümlaut';
    const SENSITIVE = {
      "main.tf": `
variable "password" {}
variable "user" {}
resource "terraform_data" "a" { input = { password = var.password, user = var.user, encoded = base64encode(var.password) } }
resource "terraform_data" "b" { input = terraform_data.a.output }
resource "terraform_data" "loud" {
  input = var.user
  provisioner "local-exec" {
    command     = "printf '%s\\n' \\"$P\\"; printf '%s' \\"$P\\" | base64"
    environment = { P = nonsensitive(var.password) }
  }
}
output "password" {
  value     = var.password
  sensitive = true
}
output "user" { value = var.user }
`,
    };
    const inputs = { password: { $xcf: "secret", ref: "secret://env/PW" }, user: "ada" } as const;

    it("shows a change of a secret without the secret, in plans, outputs and logs", async () => {
      fixture.plane.secretValues.set("secret://env/PW", SECRET);
      fixture.plane.logs.length = 0;
      const plan = await fixture.plan(SENSITIVE, { inputs });
      const applied = await fixture.apply(SENSITIVE, { inputs });
      assert(applied.kind === "applied", JSON.stringify(applied));
      assert.deepEqual(plan.outputs["password"], {
        unknown: false,
        sensitive: true,
        hmac: hmacOf(SECRET),
        type: "string",
      });
      const kept = applied.outputs["password"];
      assert.deepEqual(kept, { unknown: false, sensitive: true, hmac: hmacOf(SECRET), type: "string" });
      const again = await fixture.plan(SENSITIVE, { inputs });
      assert.equal(again.status, "unchanged");
      assert.deepEqual(again.outputs["password"], kept);

      fixture.plane.secretValues.set("secret://env/PW", "another one entirely");
      const changed = await fixture.plan(SENSITIVE, { inputs });
      assert.equal(changed.summary.update, 2, JSON.stringify(changed.changes));
      const everything = JSON.stringify([plan, applied, again, changed, fixture.plane.logs]);
      for (const form of [
        SECRET,
        Buffer.from(SECRET).toString("base64"),
        encodeURIComponent(SECRET),
        JSON.stringify(SECRET).slice(1, -1),
        "hunter2",
        "another one entirely",
      ]) {
        assert(!everything.includes(form), `${form} is shown`);
        assert(!everything.includes(JSON.stringify(form).slice(1, -1)), `${form} is shown`);
      }
      assert(
        fixture.plane.logs.some(({ text }) => text.includes("(redacted)")),
        "the positive control: the module printed it",
      );
    });

    it("resolves sensitive outputs of other units, also a part of one", async () => {
      fixture.plane.outputValues.set("dev/net/vpc conn", JSON.stringify({ url: "postgres://u:geheim123@h/db" }));
      const node = { $xcf: "sensitive", address: "dev/net/vpc", output: "conn", path: ["url"], hmac: "x" } as const;
      const plan = await fixture
        .plan(MODULE, { inputs: { size: { $xcf: "template", parts: ["<", node, ">"] } } })
        .catch((error: unknown) => String(error));
      // The module's output carries it without saying so: terraform refuses, since the input is marked.
      assert.match(String(plan), /sensitive/);
      assert.doesNotMatch(String(plan), /geheim/);
      const silent = { "main.tf": `${MODULE["main.tf"].replace("output", "#")}` };
      const good = await fixture.plan(silent, { inputs: { size: { $xcf: "template", parts: ["<", node, ">"] } } });
      assert.deepEqual(good.changes[0]?.after, {
        input: { $redacted: hmacOf("<postgres://u:geheim123@h/db>") },
        triggers_replace: null,
      });
    });

    it("leaves no file with a secret behind", async () => {
      const { readdirSync } = await import("node:fs");
      await fixture.worker.close();
      assert.deepEqual(readdirSync(`${fixture.folder}/scratch`), []);
      fixture.worker = fixture.startWorker();
    });

    it("gives credentials to the engine and not to its words", async () => {
      fixture.plane.secretValues.set("secret://env/KEY", "AKIA-top-secret");
      const module = {
        "main.tf":
          'resource "terraform_data" "a" {\n provisioner "local-exec" { command = "env | grep -c ^MY_KEY=AKIA-top; echo $MY_KEY; env" }\n}',
      };
      fixture.plane.logs.length = 0;
      const applied = await fixture.apply(module, { credentials: { MY_KEY: "secret://env/KEY" } });
      assert.equal(applied.kind, "applied");
      const text = JSON.stringify(fixture.plane.logs);
      assert.match(text, /\(local-exec\): 1"/);
      assert.doesNotMatch(text, /AKIA-top-secret/);
      assert.doesNotMatch(text, /token-of-/);
    });
  });

  describe("inputs", () => {
    const refused = async (inputs: Record<string, string>): Promise<unknown> => {
      const result = await fixture.plane.run(fixture.spec(MODULE, { inputs }));
      return result.kind === "failed" ? { ...result.failure, effects: result.effects } : result;
    };

    it("refuses one the module does not declare, with the nearest name", async () => {
      assert.deepEqual(await refused({ size: "s", siz: "t" }), {
        code: "UNIT_INPUT_UNDECLARED",
        where: UNIT,
        message: 'the module declares no variable "siz"',
        hint: 'did you mean "size"?',
        effects: "none",
      });
    });

    it("names those that are missing", async () => {
      assert.deepEqual(await refused({}), {
        code: "UNIT_INPUT_MISSING",
        where: UNIT,
        message: 'the module needs the input "size"',
        hint: "give it under `inputs` in the composition, or give the variable a default",
        effects: "none",
      });
    });

    it("counts what variable files give, and lets inputs win over them", async () => {
      const files = { ...MODULE, "envs/dev/dev.tfvars": 'size = "from-file"\n' };
      const engineConfig = { varFiles: ["envs/dev/dev.tfvars"] };
      const plan = await fixture.plan(files, { engineConfig });
      assert.deepEqual(plan.outputs["size"], { unknown: false, sensitive: false, value: "from-file", type: "string" });
      const won = await fixture.plan(files, { engineConfig, inputs: { size: "from-input" } });
      assert.deepEqual(won.outputs["size"], { unknown: false, sensitive: false, value: "from-input", type: "string" });
    });

    it("refuses engine settings it does not know", async () => {
      const result = await fixture.plane.run(
        fixture.spec(MODULE, { inputs: { size: "s" }, engineConfig: { varfiles: [] } }),
      );
      assert(result.kind === "failed");
      assert.equal(result.failure.code, "UNIT_ENGINE_CONFIG_INVALID");
      assert.match(result.failure.message, /varfiles/);
    });
  });

  describe("backends", () => {
    it("keeps the state in the control plane whatever backend the module has, and says so", async () => {
      const module = {
        "main.tf": 'terraform {\n  backend "s3" { bucket = "nobody" }\n}\nresource "terraform_data" "a" {}',
      };
      const plan = await fixture.plan(module);
      assert.deepEqual(plan.hazards, [
        'the module\'s own backend "s3" is not used; the state is kept by the control plane',
      ]);
      assert.equal((await fixture.apply(module)).kind, "applied");
      assert(fixture.plane.states.has(UNIT));
    });

    it("leaves the state in the module's own backend where that is asked for, with its workspace", async () => {
      const path = `${fixture.folder}/own`;
      const module = {
        "main.tf": `terraform {\n  backend "local" {\n    path = "${path}/terraform.tfstate"\n    workspace_dir = "${path}"\n  }\n}\nresource "terraform_data" "a" {}\noutput "ws" { value = terraform.workspace }`,
      };
      const engineConfig = { backend: "module", workspace: "blue" };
      const applied = await fixture.apply(module, { engineConfig });
      assert(applied.kind === "applied", JSON.stringify(applied));
      assert.deepEqual(applied.outputs["ws"], { unknown: false, sensitive: false, value: "blue", type: "string" });
      assert(!fixture.plane.states.has(UNIT));
      const plan = await fixture.plan(module, { engineConfig });
      assert.equal(plan.status, "unchanged");
      assert.match(plan.hazards.join(), /best effort/);
    });
  });

  it("keeps a snapshot and restores it under the next serial", async () => {
    assert.equal((await fixture.apply(MODULE, { inputs: { size: "one" } })).kind, "applied");
    const snapshot = await fixture.plane.run(fixture.spec(MODULE, { kind: "snapshot", inputs: { size: "one" } }));
    assert(snapshot.kind === "snapshotted", JSON.stringify(snapshot));
    assert.equal((await fixture.apply(MODULE, { inputs: { size: "two" } })).kind, "applied");
    const plan = { artefact: snapshot.snapshotId, digest: snapshot.snapshotId, serial: 0, lineage: "" };
    const restored = await fixture.plane.run(fixture.spec(MODULE, { kind: "restore", inputs: { size: "one" }, plan }));
    assert.equal(restored.kind, "restored", JSON.stringify(restored));
    const state = JSON.parse(fixture.plane.states.get(UNIT) ?? "{}") as {
      serial: number;
      outputs: { size: { value: string } };
    };
    assert.equal(state.serial, 3);
    assert.equal(state.outputs.size.value, "one");
  });
});
