import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { TaskResult } from "@xcloudflow/model/task-result";
import type { TaskKind } from "@xcloudflow/model/task-spec";
import fc from "fast-check";
import type { Decision } from "./decision.ts";
import type { AttemptRow, RunRow, StepRow, TaskRow } from "./rows.ts";
import {
  backoffMilliseconds,
  claimTask,
  expireLease,
  hasEffects,
  MAX_LOST,
  MAX_TRIES,
  MAX_UNKNOWN,
  type ReportView,
  renewLease,
  reportTask,
} from "./task-decision.ts";

const NOW = "2026-01-01T12:00:00.000Z";
const SOON = "2026-01-01T12:00:30.000Z";

function leased(kind: TaskKind, patch: Partial<TaskRow> = {}): ReportView {
  const run = { id: "run_1", kind: "apply", status: "running", unfinished: 1 } as RunRow;
  const step = { run: "run_1", unit: "u", status: "running", stage: kind, attempts: 0, destroy: false } as StepRow;
  const task = {
    id: "task_1",
    run: "run_1",
    unit: "u",
    kind,
    engine: "terraform",
    pool: "plan",
    status: "leased",
    tries: 1,
    attempt: 7,
    worker: "w",
    leaseExpiresAt: SOON,
    cancelRequested: false,
    unknownAttempts: "",
    ...patch,
  } as TaskRow;
  const attempt = { task: "task_1", attempt: 7, unit: "u", worker: "w", outcome: "running" } as AttemptRow;
  return { run, step, task, attempt, after: [], all: [step], edges: [] };
}

function rows(decision: Decision) {
  const found: { task?: TaskRow; step?: StepRow; attempt?: AttemptRow } = {};
  for (const change of decision.changes) {
    if (!("put" in change)) continue;
    if (change.put === "task") found.task = change.row;
    if (change.put === "step") found.step = change.row;
    if (change.put === "attempt") found.attempt = change.row;
  }
  return found;
}

const kinds: readonly TaskKind[] = ["plan", "apply", "verify", "inspect", "restore"];
const safely: TaskResult = {
  kind: "failed",
  failure: { code: "X", message: "x" },
  effects: "none",
  retryable: true,
};

describe("a lost lease", () => {
  test("never repeats what may have changed the world: it is inspected first", () => {
    for (const kind of kinds) {
      const { task, step, attempt } = rows(expireLease(leased(kind), NOW));
      assert.equal(attempt?.outcome, "unknown");
      assert.equal(task?.status, hasEffects(kind) ? "lost" : "queued", kind);
      assert.equal(task?.worker, null);
      if (!hasEffects(kind)) continue;
      assert.deepEqual([step?.status, step?.stage, step?.outcomeWasUnknown], ["ready", "inspect", true]);
      assert.equal(task?.unknownAttempts, "7");
    }
  });

  test("of what only reads is given up after the fifth", () => {
    const statusAfter = (tries: number) => rows(expireLease(leased("plan", { tries }), NOW)).task?.status;
    assert.deepEqual([statusAfter(MAX_LOST - 1), statusAfter(MAX_LOST)], ["queued", "lost"]);
    assert.equal(rows(expireLease(leased("plan", { tries: MAX_LOST }), NOW)).step?.status, "failed");
  });

  test("of what may have changed the world is given up when the unit keeps ending its workers", () => {
    const stepAfter = (unknownBefore: number) => rows(expireLease(leased("apply"), NOW, unknownBefore)).step;
    assert.equal(stepAfter(MAX_UNKNOWN - 2)?.status, "ready");
    const given = stepAfter(MAX_UNKNOWN - 1);
    assert.deepEqual([given?.status, given?.outcomeWasUnknown], ["failed", true]);
    assert.match(given?.reason ?? "", /WORKER_LOST.*what the last one did is unknown/);
  });

  test("tells other processes that the task waits again", () => {
    const { changes } = expireLease(leased("plan"), NOW);
    assert.ok(changes.some((change) => "event" in change && change.event.noun === "task"));
  });
});

describe("a task that its worker hands back", () => {
  const released = (effects: "none" | "possible"): TaskResult => ({ kind: "released", effects });

  test("is for the next worker at once where nothing was changed, and the try does not count", () => {
    for (const kind of kinds) {
      const decision = reportTask(leased(kind, { tries: MAX_TRIES }), released("none"), NOW, 0);
      const { task, step, attempt } = rows(decision);
      assert.deepEqual([task?.status, task?.worker, task?.availableAt], ["queued", null, NOW], kind);
      assert.equal(task?.tries, MAX_TRIES - 1);
      assert.deepEqual([attempt?.outcome, step], ["canceled", undefined]);
      assert.ok(decision.commands.some(({ kind: command }) => command === "offer"));
      assert.ok(decision.changes.some((change) => "event" in change && change.event.noun === "task"));
    }
  });

  test("is inspected before anything else where something may have been changed, and read again where it only reads", () => {
    for (const kind of kinds) {
      const { task, step, attempt } = rows(reportTask(leased(kind), released("possible"), NOW, 0));
      assert.equal(task?.status, hasEffects(kind) ? "lost" : "queued", kind);
      if (!hasEffects(kind)) continue;
      assert.deepEqual([step?.status, step?.stage, step?.outcomeWasUnknown], ["ready", "inspect", true]);
      assert.deepEqual([attempt?.outcome, task?.unknownAttempts], ["unknown", "7"]);
    }
  });

  test("ends its step where the run is being canceled", () => {
    const view = leased("apply");
    const canceling = { ...view, run: { ...view.run, status: "canceling" as const } };
    const { task, step } = rows(reportTask(canceling, released("none"), NOW, 0));
    assert.deepEqual([task?.status, step?.status], ["canceled", "canceled"]);
  });
});

describe("a report", () => {
  test("of a passing failure without effects is tried again, later, a bounded number of times", () => {
    for (let tries = 1; tries <= MAX_TRIES; tries += 1) {
      const { task, step } = rows(reportTask(leased("apply", { tries }), safely, NOW, 0.5));
      assert.equal(task?.status, tries < MAX_TRIES ? "queued" : "failed");
      if (tries < MAX_TRIES) assert.ok((task?.availableAt ?? "") > NOW);
      else assert.equal(step?.status, "failed");
    }
  });

  test("of a failure that may have had effects, or that comes while the run is canceled, is not tried again", () => {
    const effects = reportTask(leased("apply"), { ...safely, effects: "possible" }, NOW, 0.5);
    assert.equal(rows(effects).step?.status, "failed");
    const view = leased("plan");
    const canceling = reportTask({ ...view, run: { ...view.run, status: "canceling" } }, safely, NOW, 0.5);
    assert.equal(rows(canceling).step?.status, "failed");
  });

  test("of an apply leads to its verification, and of the verification to the record", () => {
    const applied = reportTask(leased("apply"), { kind: "applied", outputs: {}, serial: 1, lineage: "l" }, NOW, 0);
    assert.deepEqual([rows(applied).step?.status, rows(applied).step?.stage], ["ready", "verify"]);
    const verified = reportTask(
      leased("verify"),
      { kind: "verified", converged: true, changes: [], outputs: {} },
      NOW,
      0,
    );
    assert.deepEqual([rows(verified).step?.status, rows(verified).step?.stage], ["recording", "record"]);
  });

  test("counts as an attempt, whatever it says", () => {
    assert.equal(rows(reportTask(leased("apply", { tries: MAX_TRIES }), safely, NOW, 0)).step?.attempts, 1);
    assert.equal(rows(expireLease(leased("apply"), NOW)).step?.attempts, 1);
  });
});

test("a lease is renewed for its own attempt while it lasts, and for nobody else", () => {
  fc.assert(
    fc.property(
      fc.constantFrom("leased", "queued", "done", "lost"),
      fc.constantFrom("w", "other"),
      fc.constantFrom(6, 7, 8),
      fc.constantFrom(NOW, SOON),
      fc.boolean(),
      (status, worker, attempt, now, cancelRequested) => {
        const { task } = leased("apply", { status: status as TaskRow["status"], cancelRequested });
        const { verdict, changes } = renewLease(task, worker, attempt, now, "later");
        const mine = status === "leased" && worker === "w" && attempt === 7 && now < SOON;
        assert.equal(verdict, mine ? (cancelRequested ? "cancel" : "renewed") : "lost");
        assert.equal(changes.length, mine ? 1 : 0);
      },
    ),
  );
  assert.equal(renewLease(undefined, "w", 1, NOW, SOON).verdict, "lost");
});

test("a claim touches neither run nor step", () => {
  const { changes } = claimTask(leased("plan", { status: "queued" }).task, 8, "w", NOW, SOON);
  const tables = changes.flatMap((change) => ("put" in change ? [change.put] : []));
  assert.deepEqual(tables, ["task", "attempt"]);
});

test("the wait before another try grows, is spread, and ends at a minute", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 60 }), fc.double({ min: 0, max: 0.999, noNaN: true }), (tries, jitter) => {
      const wait = backoffMilliseconds(tries, jitter);
      assert.ok(wait >= 1_000 && wait <= 60_000);
      assert.ok(backoffMilliseconds(tries + 1, jitter) >= wait);
    }),
  );
});
