import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Decision } from "./decision.ts";
import type { RunRow, StepEdgeRow, StepRow } from "./rows.ts";
import { cancelRun, isEnded, outcomeOf } from "./run-decision.ts";
import { endStep, succeedStep } from "./step-decision.ts";

const NOW = "2026-01-01T12:00:00.000Z";
const RUN: RunRow = {
  id: "run_1",
  kind: "apply",
  phase: "executing",
  status: "running",
  environment: "prod",
  repository: "/repository",
  changeSet: "cs_1",
  request: "{}",
  actor: "{}",
  idempotencyKey: null,
  waitingKind: null,
  waitingFor: null,
  unfinished: 0,
  concurrency: 2,
  failure: null,
  createdAt: NOW,
  endedAt: null,
  sequence: 0,
};
const STEP: StepRow = {
  run: "run_1",
  unit: "",
  status: "pending",
  stage: "apply",
  engine: "terraform",
  lifecycle: "Platform",
  destroy: false,
  waitingOn: 0,
  attempts: 0,
  reason: null,
  outcomeWasUnknown: false,
  plan: null,
  result: null,
  inputs: null,
  successor: null,
  startedAt: null,
  endedAt: null,
};

/** A run of `size` steps, each waiting for some of those before it. */
function machine(size: number, edgesDrawn: readonly (readonly [number, number])[]) {
  const unit = (index: number) => `unit-${index}`;
  const edges = new Map<string, StepEdgeRow>();
  for (const [a, b] of edgesDrawn) {
    const [from, to] = [Math.min(a, b) % size, Math.max(a, b) % size].sort((x, y) => x - y);
    if (from === undefined || to === undefined || from === to) continue;
    edges.set(`${from} ${to}`, { run: RUN.id, from: unit(from), to: unit(to) });
  }
  const steps = new Map<string, StepRow>();
  for (let index = 0; index < size; index += 1) {
    const waitingOn = [...edges.values()].filter((edge) => edge.to === unit(index)).length;
    steps.set(unit(index), { ...STEP, unit: unit(index), waitingOn, status: waitingOn === 0 ? "ready" : "pending" });
  }
  let run: RunRow = { ...RUN, unfinished: size };
  return {
    edges: [...edges.values()],
    all: () => [...steps.values()],
    after: (name: string) =>
      [...edges.values()].flatMap((edge) => (edge.from === name ? (steps.get(edge.to) ?? []) : [])),
    run: () => run,
    take({ changes }: Decision) {
      for (const change of changes) {
        if (!("put" in change)) continue;
        if (change.put === "run") run = change.row;
        if (change.put === "step") {
          const before = steps.get(change.row.unit);
          assert.ok(before !== undefined && !isEnded(before), `${change.row.unit} was written after its end`);
          steps.set(change.row.unit, change.row);
        }
      }
    },
  };
}

const graph = fc.record({
  size: fc.integer({ min: 1, max: 9 }),
  edges: fc.array(fc.tuple(fc.nat(8), fc.nat(8)), { maxLength: 20 }),
});
const outcomes = fc.array(fc.tuple(fc.nat(8), fc.constantFrom("succeeded", "succeeded", "failed", "canceled")), {
  minLength: 9,
  maxLength: 9,
});

test("however steps end, a run ends with all of them, and none begins before what it needs", () => {
  fc.assert(
    fc.property(graph, outcomes, fc.option(fc.nat(8)), ({ size, edges }, ends, cancelAt) => {
      const it = machine(size, edges);
      for (const [turn, [pick, outcome]] of ends.entries()) {
        if (turn === cancelAt) it.take(cancelRun(it.run(), it.all(), [], "ada", "stop", NOW));
        const ready = it.all().filter((step) => step.status === "ready");
        const step = ready[pick % Math.max(1, ready.length)];
        if (step === undefined) break;
        for (const edge of it.edges.filter((other) => other.to === step.unit))
          assert.equal(it.all().find((other) => other.unit === edge.from)?.status, "succeeded");
        it.take(
          outcome === "succeeded"
            ? succeedStep({ run: it.run(), step, after: it.after(step.unit) }, NOW)
            : endStep(it.run(), step, outcome as "failed" | "canceled", "why", it.all(), it.edges, NOW),
        );
        assert.equal(it.run().unfinished, it.all().filter((other) => !isEnded(other)).length);
      }
      assert.equal(it.run().unfinished, 0, "something never became ready and never ended");
      const failed = it.all().some((step) => step.status === "failed");
      assert.equal(outcomeOf(it.run(), it.all()) === "failed", failed);
      const whole = it.all().every((step) => step.status === "succeeded") && it.run().status === "running";
      assert.equal(outcomeOf(it.run(), it.all()) === "succeeded", whole);
    }),
  );
});

test("the driver is woken when a success enables a step or ends the run, and only then", () => {
  const it = machine(3, [
    [0, 2],
    [1, 2],
  ]);
  const succeed = (unit: string): boolean => {
    const step = it.all().find((other) => other.unit === unit);
    assert.ok(step);
    const decision = succeedStep({ run: it.run(), step, after: it.after(unit) }, NOW);
    it.take(decision);
    return decision.commands.some((command) => command.kind === "drive");
  };
  assert.deepEqual(["unit-0", "unit-1", "unit-2"].map(succeed), [false, true, true]);
});

test("a cancel leaves what a worker has or what is being recorded to its end", () => {
  const it = machine(4, [[0, 3]]);
  const [first, second, third] = it.all();
  assert.ok(first && second && third);
  const steps = [{ ...first, status: "running" as const }, { ...second, status: "recording" as const }, third];
  const task = { id: "task_1", unit: first.unit, status: "leased" } as Parameters<typeof cancelRun>[2][number];
  const { changes } = cancelRun({ ...it.run(), unfinished: 3 }, steps, [task], "ada", "stop", NOW);
  const rows = changes.flatMap((change) => ("put" in change && change.put === "step" ? [change.row.unit] : []));
  assert.deepEqual(rows, [third.unit]);
  const asked = changes.flatMap((change) => ("put" in change && change.put === "task" ? [change.row] : []));
  assert.deepEqual([asked[0]?.status, asked[0]?.cancelRequested], ["leased", true]);
});
