import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { after, describe, test } from "node:test";
import { createPolicyTools } from "@xcloudflow/policy/policy-tools";
import { requireEngine } from "../../support/engines.ts";
import { comparable } from "./check-outcome.ts";
import { runConftest } from "./conftest-cli.ts";
import { readCorpus } from "./corpus-case.ts";
import { evaluateCase } from "./evaluate-case.ts";
import { knownDifferences } from "./known-differences.ts";

const opa = requireEngine("opa");
const conftest = requireEngine("conftest");

describe("verdicts equal the real conftest", { skip: opa.skip || conftest.skip }, () => {
  const tools = createPolicyTools({ opa: opa.skip === false ? { configured: opa.path } : {}, folder: tmpdir() });
  after(() => tools.close());
  const corpus = readCorpus();

  for (const corpusCase of corpus) {
    const difference = knownDifferences.get(corpusCase.name);
    const name = difference === undefined ? corpusCase.name : `${corpusCase.name} differs: ${difference}`;
    test(`${name} (${corpusCase.about})`, async () => {
      const [theirs, ours] = await Promise.all([
        runConftest(conftest.path, corpusCase),
        evaluateCase(tools, corpusCase),
      ]);
      const both = JSON.stringify({ ours, theirs }, undefined, 1);
      if (difference === undefined) assert.deepEqual(comparable(ours), comparable(theirs), both);
      else assert.notDeepEqual(comparable(ours), comparable(theirs), both);
    });
  }

  test("every known difference is a case of the corpus", () => {
    const names = corpus.map(({ name }) => name);
    assert.deepEqual(
      [...knownDifferences.keys()].filter((name) => !names.includes(name)),
      [],
    );
  });
});
