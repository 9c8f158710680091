import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { changeSetOutputSchema, type ShownChangeSet } from "../output/change-set-output.ts";
import { changeSetMarkdown } from "./change-set-markdown.ts";

interface Written {
  readonly address: string;
  readonly value: string;
  readonly message: string;
}

const from = { layer: "matrix" };
const decided = (value: unknown) => ({ value, from });

/** A ChangeSet of one unit in which people and engines wrote these texts. */
function changeSet({ address, value, message }: Written): ShownChangeSet {
  const finding = { namespace: "main", rule: "deny", message, metadata: {}, revision: "r" };
  return changeSetOutputSchema.parse({
    id: "cs_1",
    digest: "xcf1:sha256:00",
    tenant: "default",
    repository: "/r",
    environment: "prod",
    origin: { kind: "manual" },
    commit: "c0ffee",
    baseCommit: "",
    dirty: false,
    author: "a@example.com",
    authors: [],
    createdAt: "2026-11-24T00:00:00.000Z",
    expiresAt: "2026-12-01T00:00:00.000Z",
    units: [
      {
        address: "prod/shop/api",
        status: "planned",
        engine: "terraform",
        engineVersion: "1.9.0",
        destroy: false,
        summary: { create: 1, update: 0, replace: 0, delete: 0, noop: 0 },
        changes: [
          {
            address,
            type: "terraform_data",
            actions: ["create"],
            before: null,
            after: { input: value, [value]: "named by it" },
            unknown: {},
            sensitive: {},
            replacePaths: [],
          },
        ],
        drift: [],
        outputs: {},
        locks: {},
        hazards: [],
        lifecycle: "Application",
        changeFrequency: "high",
        route: {
          address: "prod/shop/api",
          lifecycle: decided("Application"),
          changeFrequency: decided("high"),
          engine: decided("terraform"),
          reconcile: decided({ strategy: "periodic", interval: "6h" }),
          drift: decided("alert"),
          gate: decided({ kind: "environment", groups: [], quorum: 1 }),
          backup: decided("none"),
          concurrency: decided(4),
        },
        module: { archive: "art_1", path: ".", contentHash: "sha256:00" },
        inputs: {},
        engineConfig: {},
        credentials: { plan: {}, apply: {} },
        ignoreDrift: [],
        replace: [],
        contentHash: "sha256:00",
        reason: "new",
        prior: { serial: 0, lineage: "", snapshot: null },
      },
    ],
    edges: [],
    gates: [
      {
        kind: "approval",
        units: ["prod/shop/api"],
        groups: ["leads"],
        quorum: 1,
        reasons: [message],
        selfApproval: false,
        satisfied: false,
      },
    ],
    policy: { verdict: "deny", denials: [finding], warnings: [finding], revision: "r" },
    governance: {
      commit: "",
      governingDigest: "",
      proposedDigest: "",
      policyRevisions: ["r"],
      changes: [message],
      approvals: { groups: [], quorum: 1, selfApproval: false, declared: false },
      tier: "production",
      concurrency: 4,
      conditions: [],
    },
    cost: { monthlyDelta: "0", currency: "USD" },
    phase: "denied",
    approvals: [],
  });
}

/** Texts of the characters that mean something to Markdown, among others. */
const hostile = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        ..."`~|<>[]()*_#-+!\\\n\r\t&@: ".split(""),
        "```",
        "\n```\n",
        "\n````\n",
        "</details>",
        "```diff",
      ),
      fc.string(),
    ),
  )
  .map((parts) => parts.join(""));
const written = fc.record({ address: hostile, value: hostile, message: hostile });

test("no text ends the block it stands in", () => {
  fc.assert(
    fc.property(written, (texts) => {
      const lines = changeSetMarkdown(changeSet(texts)).split(/\r\n|\n|\r/);
      const opened = lines.findIndex((line) => /^`{3,}diff$/.test(line));
      const fence = lines[opened]?.replace("diff", "") ?? assert.fail("no block");
      const closed = lines.findIndex(
        (line, index) => index > opened && /^ {0,3}`+[ \t]*$/.test(line) && line.trim().length >= fence.length,
      );
      // What stands after the block that closes first is ours, word for word.
      assert.deepEqual(lines.slice(closed + 1), [
        "",
        "</details>",
        "",
        "ChangeSet `cs_1` · digest `xcf1:sha256:00` · commit `c0ffee`",
        "",
      ]);
    }),
  );
});

test("no message starts a line of its own, or leaves a character that Markdown reads", () => {
  const count = changeSetMarkdown(changeSet({ address: "a", value: "v", message: "plain" })).split("\n- ").length;
  fc.assert(
    fc.property(hostile, (message) => {
      const markdown = changeSetMarkdown(changeSet({ address: "a", value: "v", message }));
      const [head = ""] = markdown.split("<details>");
      assert.equal(markdown.split("\n- ").length, count);
      const items = head.split("\n").slice(head.split("\n").findIndex((line) => line.startsWith("- ")));
      assert.equal(items.filter((line) => line !== "").length, count - 1);
      for (const item of items) assert.doesNotMatch(item.replaceAll(/\\[\\`*_{}[\]<>|]/g, ""), /[\\`*_{}[\]<>|\r]/);
    }),
  );
});
