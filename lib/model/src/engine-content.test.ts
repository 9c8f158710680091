import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { engineFromContents, enginesFromContents } from "./engine-content.ts";

describe("the engine that a folder's files speak of", () => {
  const cases: readonly [files: string[], engines: string[]][] = [
    [["main.tf", "variables.tf", "README.md"], ["terraform"]],
    [["main.tf.json"], ["terraform"]],
    [["main.tofu"], ["terraform"]],
    [["Pulumi.yaml", "index.ts"], ["pulumi"]],
    [["playbook.yml", "vars.yml"], ["playbook"]],
    [["kustomization.yaml", "deployment.yaml"], ["kubernetes"]],
    [["Chart.yaml", "values.yaml"], ["kubernetes"]],
    [["deployment.yaml", "service.yml"], ["kubernetes"]],
    [["resource.yaml"], ["provider"]],
    [["orders.resources.yaml"], ["provider"]],
    [
      ["main.tf", "Pulumi.yaml"],
      ["terraform", "pulumi"],
    ],
    [["README.md", ".terraform-docs.yml"], []],
    [["main.tfvars", "notes.tf.txt"], []],
    [[], []],
  ];
  for (const [files, engines] of cases) {
    test(`${files.join(", ") || "no files"}: ${engines.join(", ") || "none"}`, () => {
      assert.deepEqual(enginesFromContents(files), engines);
    });
  }

  test("the preference decides between several", () => {
    assert.equal(engineFromContents(["main.tf", "Pulumi.yaml"], ["pulumi", "terraform"]), "pulumi");
    assert.equal(engineFromContents(["main.tf", "Pulumi.yaml"], ["kubernetes"]), "terraform");
    assert.equal(engineFromContents([]), undefined);
  });
});
