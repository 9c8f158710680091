import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { composeBundle, defineBundle, type PolicyFile } from "./policy-bundle.ts";

const file = (path: string, content: string): PolicyFile => ({ path, content: Buffer.from(content) });
const plain = { regoVersion: "v1", dataRoot: "data" } as const;

describe("a bundle", () => {
  test("is its Rego files and the data below policies/data, nothing else", () => {
    const bundle = defineBundle([
      file("policies/b.rego", "package b"),
      file("policies/a.rego", "package a"),
      file("policies/data/limits/x.yaml", "a: 1"),
      file("policies/data/README.md", "no data"),
      file("policies/budget.yaml", "kind: Budget"),
    ]);
    assert.deepEqual(
      bundle.policies.map(({ path }) => path),
      ["policies/a.rego", "policies/b.rego"],
    );
    assert.deepEqual(
      bundle.data.map(({ path }) => path),
      ["limits/x.yaml"],
    );
  });

  test("has one revision whatever the order of its files, and another when any byte of it changes", () => {
    const name = fc.stringMatching(/^[a-z]{1,6}$/);
    const files = fc.uniqueArray(fc.record({ path: name, content: fc.string() }), {
      minLength: 1,
      selector: ({ path }) => path,
    });
    fc.assert(
      fc.property(files, fc.nat(), fc.string({ minLength: 1 }), (list, index, more) => {
        const policies = list.map(({ path, content }) => file(`${path}.rego`, content));
        const { revision } = composeBundle(policies, [], plain);
        assert.equal(composeBundle(policies.toReversed(), [], plain).revision, revision);
        const changed = policies.map((policy, at) =>
          at === index % policies.length
            ? { ...policy, content: Buffer.concat([policy.content, Buffer.from(more)]) }
            : policy,
        );
        assert.notEqual(composeBundle(changed, [], plain).revision, revision);
      }),
    );
  });

  test("does not confuse where one file ends and the next begins, nor policies with data", () => {
    const revisions = [
      composeBundle([file("a.rego", "x"), file("b.rego", "")], [], plain),
      composeBundle([file("a.rego", ""), file("b.rego", "x")], [], plain),
      composeBundle([], [file("a.json", "x")], plain),
      composeBundle([file("a.json", "x")], [], plain),
      composeBundle([file("a.rego", "x"), file("b.rego", "")], [], { ...plain, regoVersion: "v0" }),
    ].map(({ revision }) => revision);
    assert.equal(new Set(revisions).size, revisions.length);
  });

  test("takes its Rego version from a manifest", () => {
    const policy = file("policies/a.rego", "package a");
    const version = (manifest: string) => defineBundle([policy, file("policies/.manifest", manifest)]).regoVersion;
    assert.equal(defineBundle([policy]).regoVersion, "v1");
    assert.equal(version('{"rego_version": 0}'), "v0");
    assert.equal(version('{"revision": "x"}'), "v1");
    assert.throws(() => version('{"rego_version": 7}'), { code: "POLICY_BUNDLE_INVALID" });
    assert.throws(() => version("{"), { code: "POLICY_BUNDLE_INVALID" });
  });

  for (const path of ["../x.rego", "/etc/x.rego", "a/../../x.rego", "a\\b.rego", "a\0.rego"]) {
    test(`refuses the path ${JSON.stringify(path)}`, () => {
      assert.throws(() => composeBundle([file(path, "")], [], plain), { code: "POLICY_BUNDLE_INVALID" });
    });
  }

  test("refuses a file that comes twice, also by another spelling", () => {
    assert.throws(() => composeBundle([file("a.rego", ""), file("./a.rego", "")], [], plain), /comes twice/);
  });
});
