import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { combineDecisions, decideSubject, type SubjectDecision } from "./policy-decision.ts";
import type { Namespace } from "./rule-index.ts";

const main: Namespace = {
  name: "main",
  ref: "data.main",
  rules: [
    { name: "deny", severity: "failure", definitions: 1 },
    { name: "warn", severity: "warning", definitions: 1 },
  ],
  speaks: ["tighten", "sensitive_paths"],
};

function decide(
  found: Record<string, unknown>,
  spoken: Record<string, unknown> = {},
  unit = "prod/a/b",
  revision = "sha256:1",
): SubjectDecision {
  return decideSubject({ revision, unit, replies: [{ namespace: main, answer: { found, waived: {}, spoken } }] });
}

describe("the word of several revisions", () => {
  test("is deny as soon as one denies, in whatever order they are asked", () => {
    const words = fc.array(
      fc.record({ deny: fc.boolean(), warn: fc.boolean(), revision: fc.constantFrom("sha256:1", "sha256:2") }),
    );
    fc.assert(
      fc.property(words, (list) => {
        const decisions = list.map(({ deny, warn, revision }) =>
          decide({ deny: deny ? ["no"] : [], warn: warn ? ["hm"] : [] }, {}, "prod/a/b", revision),
        );
        const forth = combineDecisions(["sha256:1", "sha256:2"], decisions).verdict;
        const back = combineDecisions(["sha256:2", "sha256:1"], decisions.toReversed()).verdict;
        assert.equal(forth.verdict, list.some(({ deny }) => deny) ? "deny" : "allow");
        assert.equal(back.verdict, forth.verdict);
        assert.equal(forth.denials.length, list.some(({ deny }) => deny) ? 1 : 0);
        assert.equal(forth.warnings.length, list.some(({ warn }) => warn) ? 1 : 0);
      }),
    );
  });

  test("reports what both find once, as the governing one found it", () => {
    const decisions = [
      decide({ deny: ["no"] }, {}, "u", "sha256:old"),
      decide({ deny: ["no", "new"] }, {}, "u", "sha256:new"),
    ];
    const { denials, revision } = combineDecisions(["sha256:old", "sha256:new"], decisions).verdict;
    assert.deepEqual(
      denials.map((denial) => [denial.message, denial.revision]),
      [
        ["no", "sha256:old"],
        ["new", "sha256:new"],
      ],
    );
    assert.equal(revision, "sha256:old+sha256:new");
  });
});

describe("what policies say about gates and unknown values", () => {
  test("a demand has defaults, and each demand stands for itself", () => {
    const { tightenings } = decide(
      {},
      { tighten: [{}, { gate: "environment", groups: ["b", "a"], quorum: 2, msg: "m" }] },
    );
    assert.deepEqual(tightenings, [
      { unit: "prod/a/b", gate: "forced", groups: [], quorum: 0, reason: "" },
      { unit: "prod/a/b", gate: "environment", groups: ["a", "b"], quorum: 2, reason: "m" },
    ]);
  });

  for (const [name, spoken] of Object.entries({
    "a looser gate": { tighten: [{ gate: "none" }] },
    "a quorum of nobody": { tighten: [{ quorum: 0 }] },
    "an unknown key": { tighten: [{ group: "security" }] },
    "no set": { tighten: { gate: "forced" } },
    text: { tighten: ["forced"] },
    "another unit": { tighten: [{ unit: "prod/other/unit" }] },
    "a path without a path": { sensitive_paths: [{ resource: "x" }] },
  })) {
    test(`${name} is refused`, () => {
      assert.throws(() => decide({}, spoken), { code: "POLICY_RESULT_INVALID" });
    });
  }

  test("asked about the ChangeSet a policy may name a unit", () => {
    const { tightenings } = decide({}, { tighten: [{ unit: "prod/x/y" }, {}] }, "");
    assert.deepEqual(
      tightenings.map(({ unit }) => unit),
      ["prod/x/y", ""],
    );
  });

  test("a sensitive path means every resource unless it names one", () => {
    assert.deepEqual(decide({}, { sensitive_paths: [{ path: "acl" }] }).sensitivePaths, [
      { unit: "prod/a/b", resource: "*", path: "acl" },
    ]);
  });
});
