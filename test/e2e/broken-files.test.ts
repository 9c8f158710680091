import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { requireEngine } from "../support/engines.ts";
import { expectIntact, expectNoInsides, expectRefusal, refusalAsJson } from "../support/refusal.ts";
import { createTestRepository, type TestRepository } from "../support/xcf-cli.ts";
import { expectCode, listRuns, planChange, planSomething } from "../support/xcf-documents.ts";

const { skip } = requireEngine("terraform");

const ENVIRONMENT = `kind: Environment
metadata: {name: dev}
spec:
  tier: development
  approvals: {selfApproval: true}
  compositions:
    - ref: compositions/site
`;
const COMPOSITION = `kind: Composition
metadata: {name: site}
spec:
  lifecycle: Application
  modules:
    - name: web
      ref: modules/web
      inputs:
        name: front
        count_of: 2
`;
const MODULE = `variable "name" {
  type = string
}
variable "count_of" {
  type = number
}
resource "terraform_data" "this" {
  input = { name = var.name, count = var.count_of }
}
output "name" {
  value = terraform_data.this.output.name
}
`;
const GOOD: Readonly<Record<string, string>> = {
  ".gitignore": ".xcf/\n",
  ".xcf.yaml": "kind: Platform\nmetadata: {name: platform}\nspec: {}\n",
  "envs/dev/environment.yaml": ENVIRONMENT,
  "compositions/site.yaml": COMPOSITION,
  "modules/web/main.tf": MODULE,
};

describe("files that are wrong", { skip }, () => {
  let repository: TestRepository;

  before(async () => {
    repository = await createTestRepository();
    await repository.commit(GOOD);
    expectCode(await repository.xcf(["apply", (await planSomething(repository)).id]), 0);
  });
  after(() => repository.dispose());

  // What was applied stays, nothing waits or runs, and the good files plan as if nothing had been.
  afterEach(async () => {
    await repository.git("rm", "-q", "--ignore-unmatch", "modules/web/more.tf");
    await repository.commit(GOOD);
    assert.equal(await planChange(repository), undefined);
    assert.deepEqual(
      (await listRuns(repository)).filter((run) => !["succeeded", "failed"].includes(run.status)),
      [],
    );
    await expectIntact(repository);
  });

  const documents: readonly (readonly [name: string, file: string, text: string, says: RegExp])[] = [
    [
      "a key that does not exist",
      "compositions/site.yaml",
      COMPOSITION.replace("lifecycle:", "lifecicle:"),
      /^compositions\/site\.yaml:4:\d+ .*lifecicle.*lifecycle/m,
    ],
    [
      "YAML that is none",
      "envs/dev/environment.yaml",
      ENVIRONMENT.replace("{selfApproval: true}", "{selfApproval: true"),
      /^envs\/dev\/environment\.yaml:\d+:\d+ /m,
    ],
    [
      "a module folder that is not there",
      "compositions/site.yaml",
      COMPOSITION.replace("modules/web", "modules/wbe"),
      /^compositions\/site\.yaml:7:\d+ {2}there is no folder "modules\/wbe"/m,
    ],
    [
      "an expression that stands for nothing",
      "compositions/site.yaml",
      COMPOSITION.replace("name: front", "name: ${outputs.sites.web.name}"),
      /^compositions\/site\.yaml:9:\d+ {2}there is no composition "sites"/m,
    ],
  ];
  for (const [name, file, text, says] of documents) {
    test(`${name}: file, line and what to do, for validate and plan alike`, async () => {
      await repository.commit({ [file]: text });
      for (const verb of ["validate", "plan"]) {
        const outcome = expectCode(await repository.xcf([verb]), 5);
        assert.match(`${outcome.out}\n${outcome.err}`, says);
        expectNoInsides(outcome);
      }
      const told = await repository.xcf(["plan", "-o", "json"]);
      assert.deepEqual([refusalAsJson(told).code, refusalAsJson(told).exitCode], ["PROBLEMS_FOUND", 5]);
    });
  }

  const modules: readonly (readonly [name: string, files: Record<string, string>, code: number, says: RegExp[]])[] = [
    [
      "Terraform text with a syntax error",
      { "modules/web/main.tf": `${MODULE}\nresource "terraform_data" {\n` },
      1,
      [/dev\/site\/web/, /main\.tf:\d+/],
    ],
    [
      "a reference to a variable that nobody declares",
      { "modules/web/more.tf": "locals {\n  other = var.nmae\n}\n" },
      1,
      [/dev\/site\/web/, /more\.tf:2/, /nmae/],
    ],
    [
      "an input that the module does not have",
      { "compositions/site.yaml": COMPOSITION.replace("name: front", "name: front\n        colour: red") },
      5,
      [/dev\/site\/web/, /colour/],
    ],
    [
      "an input that the module asks for and nobody gives",
      { "compositions/site.yaml": COMPOSITION.replace("        name: front\n", "") },
      5,
      [/dev\/site\/web/, /"?name"?/],
    ],
    [
      "an input of the wrong type",
      { "compositions/site.yaml": COMPOSITION.replace("count_of: 2", "count_of: many") },
      5,
      [/dev\/site\/web/, /count_of/, /number/],
    ],
  ];
  for (const [name, files, code, says] of modules) {
    test(`${name}: the unit, the place and what to do`, async () => {
      await repository.commit(files);
      expectRefusal(await repository.xcf(["plan"]), { code, says });
      assert.equal(refusalAsJson(await repository.xcf(["plan", "-o", "json"])).exitCode, code);
    });
  }
});
