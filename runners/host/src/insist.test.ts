import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { createSimulatedClock, type SimulatedClock } from "@xcloudflow/chassis/simulated-clock";
import { CodedError, type ErrorCategory } from "@xcloudflow/model/coded-error";
import { insist } from "./insist.ts";

/** The code under test takes a turn between any two moments. */
async function pass(clock: SimulatedClock, milliseconds: number): Promise<void> {
  for (let passed = 0; passed < milliseconds; passed += 50) {
    clock.advance(50);
    await setImmediate();
  }
}

function surroundings(patience = 10_000) {
  const clock = createSimulatedClock(new Date(0));
  const ending = new AbortController();
  return { clock, ending, insistence: { clock, signal: ending.signal, patience } };
}

function failing(times: number, category: ErrorCategory) {
  let asked = 0;
  const ask = async (): Promise<string> => {
    asked += 1;
    if (asked <= times) throw new CodedError("STATE", category, { what: `no ${asked}` });
    return `answer ${asked}`;
  };
  return { ask, asked: () => asked };
}

test("somebody who is away is asked again until the answer comes", async () => {
  const { clock, insistence } = surroundings();
  const { ask } = failing(5, "unavailable");
  const answer = insist(insistence, ask);
  await pass(clock, 10_000);
  assert.equal(await answer, "answer 6");
});

test("after its patience the last refusal is thrown", async () => {
  const { clock, insistence } = surroundings(1_000);
  const { ask, asked } = failing(100, "timeout");
  const refused = assert.rejects(insist(insistence, ask), /no 4/);
  await pass(clock, 20_000);
  await refused;
  assert.equal(asked(), 4);
});

test("an answer that will be the same is not asked for again", async () => {
  const { insistence } = surroundings();
  const { ask, asked } = failing(1, "stale");
  await assert.rejects(insist(insistence, ask), /no 1/);
  assert.equal(asked(), 1);
});

test("whoever has lost the lease asks no more", async () => {
  const { clock, ending, insistence } = surroundings();
  const { ask, asked } = failing(100, "unavailable");
  const ended = assert.rejects(insist(insistence, ask), /lost/);
  await pass(clock, 150);
  ending.abort(new Error("lost"));
  await ended;
  const before = asked();
  await pass(clock, 20_000);
  assert.equal(asked(), before);
});
