import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Caller } from "@xcloudflow/chassis/caller";
import { type ChangeSet, changeSetSchema, type Gate } from "@xcloudflow/model/change-set";
import { changeSetDigest } from "@xcloudflow/model/change-set-digest";
import {
  type ApprovalView,
  DigestMismatchError,
  decideApproval,
  gateStates,
} from "@xcloudflow/orchestrator/approval-decision";
import type { ApprovalRow, ChangeSetRow } from "@xcloudflow/orchestrator/rows";
import fc from "fast-check";
import { z } from "zod";
import { changedAt, leavesOf, valuesOf } from "../support/json-schema-values.ts";

const NOW = "2026-11-26T12:00:00.000Z";
const gate: Gate = { kind: "approval", units: [], groups: [], quorum: 1, reasons: [], selfApproval: false };
const bob: Caller = { tenant: "t", subject: "bob@x.example", groups: [], roles: ["approver"], assurance: "token" };

function rowOf(id: string, digest: string): ChangeSetRow {
  return {
    id,
    digest,
    environment: "prod",
    repository: "r",
    phase: "open",
    reason: null,
    dirty: false,
    author: "ada@x.example",
    authors: "[]",
    identities: null,
    gates: "[]",
    commit: "c",
    series: "s",
    planRun: "run_1",
    applyRun: null,
    parent: null,
    createdAt: "2026-11-26T11:00:00.000Z",
    expiresAt: "2026-11-27T11:00:00.000Z",
  };
}

const viewOf = (changeSet: ChangeSetRow, approvals: readonly ApprovalRow[] = []): ApprovalView => ({
  changeSet,
  gates: [gate],
  authors: ["ada@x.example"],
  identities: undefined,
  approvals,
});
const approve = (view: ApprovalView, digest: string) =>
  decideApproval(view, bob, { decision: "approve", digest, comment: "" }, NOW);

/** A document of a ChangeSet's shape; the digest asks no more of it. */
const changeSets = valuesOf(z.toJSONSchema(changeSetSchema, { unrepresentable: "any", io: "input" })).map(
  (value) => value as ChangeSet,
);

/** Something that any reader would take for another value. */
function other(value: unknown): unknown {
  if (typeof value === "string") return `${value}~`;
  if (typeof value === "number") return value + 1;
  if (typeof value === "boolean") return !value;
  return value === null ? "~" : ["~"];
}

describe("an approval covers one digest", () => {
  test("of a ChangeSet in which any single field is another, it is refused", () => {
    const changed = new Set<string>();
    fc.assert(
      fc.property(changeSets, (changeSet) => {
        const digest = changeSetDigest(changeSet);
        for (const path of leavesOf(changeSet)) {
          const mutant = changedAt(changeSet, path, other) as ChangeSet;
          const mutated = changeSetDigest(mutant);
          const [field] = path;
          if (field === "id" || field === "digest" || field === "createdAt") {
            assert.equal(mutated, digest, `${path.join(".")} names the document and decides nothing`);
            continue;
          }
          assert.notEqual(mutated, digest, path.join("."));
          assert.throws(() => approve(viewOf(rowOf("cs_1", mutated)), digest), DigestMismatchError);
          const given = approvalOf(viewOf(rowOf("cs_1", digest)), digest);
          assert.equal(gateStates(viewOf(rowOf("cs_1", mutated), [given]))[0]?.satisfied, false);
          changed.add(String(field));
        }
      }),
      { numRuns: 30 },
    );
    const fields = Object.keys(changeSetSchema.shape).filter((name) => !["id", "digest", "createdAt"].includes(name));
    assert.deepEqual([...changed].sort(), fields.sort(), "every field has been changed");
  });

  test("a field more or less is another digest too", () => {
    fc.assert(
      fc.property(changeSets, (changeSet) => {
        const digest = changeSetDigest(changeSet);
        for (const field of Object.keys(changeSet)) {
          if (["id", "digest", "createdAt"].includes(field)) continue;
          const less = Object.fromEntries(Object.entries(changeSet).filter(([name]) => name !== field));
          assert.notEqual(changeSetDigest(less as unknown as ChangeSet), digest, field);
        }
        assert.notEqual(changeSetDigest({ ...changeSet, extra: 1 } as ChangeSet), digest);
      }),
    );
  });

  test("100,000 interleavings of pushes, looks, votes and applies never apply what was not approved, nor a mixture", () => {
    let applied = 0;
    for (let seed = 1; seed <= 100_000; seed += 1) applied += interleave(seed, approve);
    assert.ok(applied > 20_000, `${applied} applies are too few to prove anything`);
  });

  test("the same interleavings find an approval that does not look at the digest", () => {
    const careless = (view: ApprovalView) => approve(view, "");
    assert.throws(() => {
      for (let seed = 1; seed <= 10_000; seed += 1) interleave(seed, careless);
    }, /nobody approved/);
  });
});

function approvalOf(view: ApprovalView, digest: string): ApprovalRow {
  for (const change of approve(view, digest).changes)
    if ("put" in change && change.put === "approval") return change.row;
  throw new TypeError("no approval is written");
}

/**
 * One schedule: the author pushes again under the same ChangeSet's name (the worst that a store could do), the approver
 * looks and votes later on what was seen, a run starts when the gate is satisfied and applies unit after unit.
 */
function interleave(seed: number, decide: (view: ApprovalView, digest: string) => ReturnType<typeof approve>): number {
  let state = seed;
  const chance = (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  let content = 1;
  let row = rowOf("cs_1", "xcf1:1");
  let approvals: readonly ApprovalRow[] = [];
  let seen: string | undefined;
  let run: { readonly digest: string; readonly effects: string[] } | undefined;
  const meant = new Set<string>();
  let applies = 0;
  for (let step = 0; step < 16; step += 1) {
    switch (chance(5)) {
      case 0:
        content += 1;
        row = { ...row, digest: `xcf1:${content}`, phase: "open" };
        break;
      case 1:
        seen = row.digest;
        break;
      case 2:
        if (seen === undefined) break;
        meant.add(seen);
        try {
          const { changes, phase } = decide(viewOf(row, approvals), seen);
          for (const change of changes) if ("put" in change && change.put === "approval") approvals = [change.row];
          row = { ...row, phase };
        } catch (error) {
          if (!(error instanceof DigestMismatchError)) throw error;
        }
        break;
      default: {
        if (run === undefined) {
          if (gateStates(viewOf(row, approvals)).every((one) => one.satisfied))
            run = { digest: row.digest, effects: [] };
          break;
        }
        // Each unit goes on only while the ChangeSet is still the one that was approved.
        if (!gateStates(viewOf(row, approvals)).every((one) => one.satisfied) || row.digest !== run.digest) {
          run = undefined;
          break;
        }
        run.effects.push(row.digest);
        assert.ok(meant.has(row.digest), `seed ${seed} applies ${row.digest}, which nobody approved`);
        assert.equal(new Set(run.effects).size, 1, `seed ${seed} applies a mixture`);
        applies += 1;
        if (run.effects.length === 3) run = undefined;
      }
    }
  }
  return applies;
}
