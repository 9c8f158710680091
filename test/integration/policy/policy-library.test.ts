import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { defineBundle } from "@xcloudflow/policy/policy-bundle";
import { createPolicyTools } from "@xcloudflow/policy/policy-tools";
import { requireEngine } from "../../support/engines.ts";

const opa = requireEngine("opa");
const library = join(import.meta.dirname, "../../../examples/policy-library");

describe("the policy library", { skip: opa.skip }, () => {
  const tools = createPolicyTools({ opa: opa.skip === false ? { configured: opa.path } : {}, folder: tmpdir() });
  after(() => tools.close());
  const files = readdirSync(join(library, "policies"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => ({ path: path.slice(library.length + 1), content: readFileSync(path) }));

  test("passes its own tests, each policy having some", async () => {
    const { problems, passed } = await tools.test(defineBundle(files));
    assert.deepEqual(problems, []);
    const policies = files.filter(({ path }) => /^policies\/[a-z_]+\.rego$/.test(path) && !path.endsWith("_test.rego"));
    assert.equal(policies.length, 8);
    for (const { path } of policies) {
      assert.ok(
        files.some((file) => file.path === path.replace(".rego", "_test.rego")),
        `${path} has no tests`,
      );
    }
    assert.ok(passed >= 40);
  });

  test("notices in its tests when a rule never denies any more", async () => {
    for (const { path, content } of files.filter(
      (file) => /^policies\/[a-z_]+\.rego$/.test(file.path) && !file.path.endsWith("_test.rego"),
    )) {
      const text = Buffer.from(content).toString();
      const rule = /^deny_[a-z_]+/m.exec(text)?.[0] ?? "";
      const broken = text.replace(/^deny_[a-z_]+ contains .* if \{$/m, (head) => `${head}\n\t1 == 2`);
      assert.notEqual(broken, text, path);
      const mutated = files.map((file) => (file.path === path ? { path, content: Buffer.from(broken) } : file));
      const { problems } = await tools.test(defineBundle(mutated));
      assert.ok(
        problems.some(({ code }) => code === "POLICY_TEST_FAILED"),
        `no test notices that ${rule} never denies`,
      );
    }
  });
});
