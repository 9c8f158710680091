import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decideLocks, type LockWish, wishLocks } from "./lock-decision.ts";
import type { LockRow } from "./rows.ts";

const NOW = "2026-01-01T12:00:00.000Z";

const names = fc.constantFrom("prod", "prod@eu", "prod@us", "production", "dev");
const wish: fc.Arbitrary<LockWish> = fc.record(
  {
    kind: fc.constantFrom("unit", "tier"),
    name: names,
    mode: fc.constantFrom("exclusive", "shared"),
    reason: fc.constant("why"),
  },
  { noNullPrototype: true },
);
const run = fc.constantFrom("run_1", "run_2", "run_3");

function overlaps(a: LockWish, b: LockWish): boolean {
  if (a.kind !== b.kind) return false;
  const covers = a.kind === "tier" && (b.name.startsWith(`${a.name}@`) || a.name.startsWith(`${b.name}@`));
  return a.name === b.name || covers;
}

test("whatever runs ask for in whatever order, no two hold what excludes the other, and nobody holds a part", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(run, fc.array(wish, { maxLength: 4 })), { maxLength: 12 }), (asked) => {
      let held: LockRow[] = [];
      for (const [by, wishes] of asked) {
        const answer = decideLocks(held, by, wishes, NOW);
        const barred = wishes.some((mine) =>
          held.some(
            (lock) =>
              lock.run !== by && overlaps(lock, mine) && (lock.mode === "exclusive" || mine.mode === "exclusive"),
          ),
        );
        assert.equal(answer.granted, !barred);
        if (!answer.granted) {
          assert.notEqual(answer.heldBy.run, by);
          continue;
        }
        assert.equal(answer.rows.length, wishes.length);
        held = [...held, ...answer.rows];
      }
    }),
  );
});

test("what a run holds itself is not in its way", () => {
  const [mine] = wishLocks("prod", [], "cs_1");
  assert.ok(mine);
  const held = [{ ...mine, mode: "exclusive" as const, run: "run_1", since: NOW }];
  assert.ok(decideLocks(held, "run_1", [mine], NOW).granted);
  assert.ok(!decideLocks(held, "run_2", [mine], NOW).granted);
});

test("a Foundation change has its environment to itself; others share it", () => {
  const tierOf = (lifecycle: string) => wishLocks("prod", [{ unit: "prod/a/b", lifecycle }], "cs_1")[0];
  assert.deepEqual([tierOf("Foundation")?.mode, tierOf("Application")?.mode], ["exclusive", "shared"]);
  assert.equal(wishLocks("prod", [{ unit: "prod/a/b", lifecycle: "Platform" }], "cs_1")[1]?.mode, "exclusive");
});
