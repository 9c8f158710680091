import assert from "node:assert/strict";
import { test } from "node:test";
import { simulate } from "./simulate.ts";

const SEEDS = Number(process.env.XCF_SIMULATION_SEEDS ?? 300);

test(`${SEEDS} seeded schedules of crashes, lost calls and lost workers break no invariant`, async () => {
  const outcomes = new Map<string, number>();
  let faults = 0;
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const report = await simulate(seed);
    outcomes.set(report.outcome, (outcomes.get(report.outcome) ?? 0) + 1);
    faults += report.faults;
  }
  assert.ok(
    (outcomes.get("succeeded/succeeded") ?? 0) > SEEDS / 3,
    `too few runs succeed to prove anything: ${JSON.stringify([...outcomes])}`,
  );
  assert.ok(faults > SEEDS, "too few faults were injected");
});

test("the same seed gives the same schedule", async () => {
  assert.deepEqual(await simulate(7), await simulate(7));
});
