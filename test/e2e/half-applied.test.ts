import assert from "node:assert/strict";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { requireEngine } from "../support/engines.ts";
import { expectIntact, expectRefusal } from "../support/refusal.ts";
import { createTestRepository, type TestRepository } from "../support/xcf-cli.ts";
import { expectCode, listRuns, planChange, planSomething, showRun } from "../support/xcf-documents.ts";

const { skip } = requireEngine("terraform");

/** The first resource is made; the second fails by its provisioner while the file `block` exists. */
function half(block: string): string {
  return `variable "generation" {}
resource "terraform_data" "first" {
  input = var.generation
}
resource "terraform_data" "second" {
  input      = var.generation
  depends_on = [terraform_data.first]
  provisioner "local-exec" {
    command = "if [ -e ${block} ]; then echo the disk of the moon is unreachable >&2; exit 1; fi"
  }
}
output "id" {
  value = terraform_data.second.id
}
`;
}
const BEHIND = `variable "upstream" {}
resource "terraform_data" "this" {
  input = var.upstream
}
`;

function files(names: readonly string[], block: string): Record<string, string> {
  return {
    ".gitignore": ".xcf/\n",
    ".xcf.yaml": "kind: Platform\nmetadata: {name: platform}\nspec: {}\n",
    "envs/dev/environment.yaml": `kind: Environment
metadata: {name: dev}
spec:
  tier: development
  approvals: {selfApproval: true}
  compositions:
${names.map((name) => `    - ref: compositions/${name}\n`).join("")}`,
    ...Object.fromEntries(names.flatMap((name) => Object.entries(unit(name, block)))),
  };
}

function unit(name: string, block: string): Record<string, string> {
  const inputs = name === "behind" ? "{upstream: '${outputs.half.unit.id}'}" : "{generation: one}";
  return {
    [`compositions/${name}.yaml`]: `kind: Composition
metadata: {name: ${name}}
spec:
  lifecycle: Application
  modules:
    - name: unit
      ref: modules/${name}
      inputs: ${inputs}
`,
    [`modules/${name}/main.tf`]:
      name === "half" ? half(block) : BEHIND.replace(/upstream/g, name === "behind" ? "upstream" : "generation"),
  };
}

describe("an apply that fails half-way", { skip }, () => {
  let repository: TestRepository;
  let block: string;

  before(async () => {
    repository = await createTestRepository();
    block = join(repository.folder, "..", "block");
  });
  beforeEach(() => writeFile(block, ""));
  after(() => repository.dispose());

  async function commit(...names: string[]): Promise<void> {
    await repository.git("rm", "-rq", "--ignore-unmatch", "compositions", "modules");
    await repository.commit(files(names, block));
  }

  async function resources(address: string): Promise<string[]> {
    const { out } = expectCode(await repository.xcf(["state", "pull", address]), 0);
    const { resources: found } = JSON.parse(out) as {
      resources: { name: string; instances: { status?: string }[] }[];
    };
    return found.flatMap(({ name, instances }) =>
      instances.map((instance) => (instance.status === undefined ? name : `${name} ${instance.status}`)),
    );
  }

  test("says what the engine said, keeps what was made, holds back what depends on it, and lets the rest go on", async () => {
    await commit("half", "behind", "other");
    const { id } = await planSomething(repository);
    const failed = await repository.xcf(["apply", id]);
    expectRefusal(failed, { code: 1, says: [/dev\/half\/unit/, /the disk of the moon is unreachable/, /retry/] });
    const [run] = await listRuns(repository, 1);
    assert.equal(run?.status, "failed");
    const { steps } = await showRun(repository, run?.id ?? "");
    assert.deepEqual(Object.fromEntries(steps.map((step) => [step.unit, step.status])), {
      "dev/behind/unit": "skipped",
      "dev/half/unit": "failed",
      "dev/other/unit": "succeeded",
    });
    assert.deepEqual(await resources("dev/half/unit"), ["first", "second tainted"]);
    await expectIntact(repository);
  });

  test("is finished by retry: what was half made is made anew, which people approve", async () => {
    const [run] = await listRuns(repository, 1);
    await rm(block);
    const waiting = expectCode(await repository.xcf(["retry", run?.id ?? ""]), 3);
    const [, successor = ""] =
      /approved was to create it\): `xcf approve (cs_\w+)`/.exec(waiting.out + waiting.err) ?? [];
    expectCode(await repository.xcf(["approve", successor], { as: "lead@example.com" }), 0);
    expectCode(await repository.xcf(["watch", run?.id ?? ""]), 0);
    assert.deepEqual(await resources("dev/half/unit"), ["first", "second"]);
    assert.deepEqual(await resources("dev/behind/unit"), ["this"]);
    assert.equal(await planChange(repository), undefined);
    await expectIntact(repository);
  });

  test("is finished by a new plan, which goes on from what is there", async () => {
    await repository.commit({
      "compositions/half.yaml": (unit("half", block)["compositions/half.yaml"] ?? "").replace("one", "two"),
    });
    await repository.commit({
      "modules/half/main.tf": half(block).replace(
        "input      = var.generation",
        "input = var.generation\n  triggers_replace = var.generation",
      ),
    });
    expectCode(await repository.xcf(["apply", (await planSomething(repository)).id]), 1);
    await rm(block);
    const next = await planSomething(repository);
    const changed = next.units.find(({ address }) => address === "dev/half/unit");
    assert.deepEqual(
      changed?.changes.filter(({ actions }) => !actions.includes("no-op")).map(({ address }) => address),
      ["terraform_data.second"],
    );
    expectCode(await repository.xcf(["apply", next.id]), 0);
    assert.equal(await planChange(repository), undefined);
  });

  test("is taken away again when its unit vanishes before it was ever finished", async () => {
    await commit("other");
    expectCode(await repository.xcf(["apply", (await planSomething(repository)).id]), 0);
    await commit("half", "other");
    expectCode(await repository.xcf(["apply", (await planSomething(repository)).id]), 1);
    assert.deepEqual(await resources("dev/half/unit"), ["first", "second tainted"]);
    await commit("other");
    const removal = await planSomething(repository);
    assert.deepEqual(
      removal.units.map(({ address, summary }) => [address, summary.delete]),
      [["dev/half/unit", 2]],
    );
    expectCode(await repository.xcf(["apply", removal.id]), 0);
    assert.deepEqual(await resources("dev/half/unit"), []);
    assert.equal(await planChange(repository), undefined);
    await expectIntact(repository);
  });

  test("leaves nothing to take away when it failed before it made anything", async () => {
    await commit("half", "other");
    const nothing = half(block).replace(
      'resource "terraform_data" "first" {\n',
      'resource "terraform_data" "first" {\n  provisioner "local-exec" {\n    command = "true"\n  }\n  lifecycle {\n    precondition {\n      condition     = var.generation == "" || !fileexists("' +
        block +
        '")\n      error_message = "nothing is made"\n    }\n  }\n',
    );
    await rm(block);
    await repository.commit({ "modules/half/main.tf": nothing });
    const { id } = await planSomething(repository);
    await writeFile(block, "");
    expectCode(await repository.xcf(["apply", id]), 1);
    await commit("other");
    assert.equal(await planChange(repository), undefined);
  });
});
