import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { chooseNamespaces } from "./namespace-choice.ts";

const index = {
  namespaces: ["main", "k8s", "k8s.pods", "k8s.pods_test"].map((name) => ({
    name,
    ref: `data.${name}`,
    rules: [],
    speaks: [],
  })),
};
const choose = (...names: string[]) => chooseNamespaces({ names, all: false }, index).map(({ name }) => name);

describe("choosing namespaces", () => {
  for (const [names, chosen] of [
    [[], ["main"]],
    [
      ["k8s", "main", "k8s"],
      ["k8s", "main"],
    ],
    [["nobody"], ["nobody"]],
    [["k8s.*"], ["k8s.pods", "k8s.pods_test"]],
    [["*"], ["main", "k8s", "k8s.pods", "k8s.pods_test"]],
    [["k8?", "nobody"], ["k8s"]],
    [["[a-l]8s"], ["k8s"]],
    [["[^k]ain"], ["main"]],
    [["k8s\\.*"], ["k8s.pods", "k8s.pods_test"]],
    [["k8s.("], ["k8s.("]],
    [["["], []],
  ] as const) {
    test(`${JSON.stringify(names)} → ${JSON.stringify(chosen)}`, () => assert.deepEqual(choose(...names), chosen));
  }

  test("all are all", () => {
    assert.equal(chooseNamespaces({ names: [], all: true }, index).length, 4);
  });
});
