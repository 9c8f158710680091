import assert from "node:assert/strict";
import { test } from "node:test";
import { createSystemClock, pause } from "./clock.ts";
import { createSimulatedClock } from "./simulated-clock.ts";

test("runs what falls due on the way, in order of time and then of asking, each at its own moment", () => {
  const clock = createSimulatedClock(new Date(0));
  const ran: string[] = [];
  const note = (name: string) => (): void => void ran.push(`${name}@${clock.now().getTime()}`);
  clock.schedule(20, note("b"));
  clock.schedule(new Date(10), note("a"));
  clock.schedule(20, note("c"));
  clock.schedule(31, note("late"));
  clock.schedule(5, () => clock.schedule(5, note("nested")));
  clock.advance(30);
  assert.deepEqual(ran, ["a@10", "nested@10", "b@20", "c@20"]);
  assert.equal(clock.now().getTime(), 30);
  assert.equal(clock.nextDue()?.getTime(), 31);
});

test("a canceled timer never runs, and canceling late does nothing", () => {
  const clock = createSimulatedClock();
  let ran = 0;
  const cancel = clock.schedule(1, () => ran++);
  const done = clock.schedule(2, () => ran++);
  cancel();
  clock.advance(5);
  done();
  assert.equal(ran, 1);
  assert.equal(clock.runNext(), false);
});

test("a pause ends with the clock, or with the signal's reason", async () => {
  const clock = createSimulatedClock();
  const paused = pause(clock, 1000);
  clock.advance(1000);
  await paused;
  const controller = new AbortController();
  const aborted = pause(clock, 1000, controller.signal);
  const reason = new Error("enough");
  controller.abort(reason);
  await assert.rejects(aborted, (error) => error === reason);
  assert.equal(clock.nextDue(), undefined);
});

test("the system clock never calls synchronously, and waits longer than one timer can", async () => {
  const clock = createSystemClock();
  let ran = false;
  const { promise, resolve } = Promise.withResolvers<void>();
  clock.schedule(new Date(0), () => {
    ran = true;
    resolve();
  });
  assert.equal(ran, false);
  let early = false;
  const cancel = clock.schedule(40 * 24 * 3600 * 1000, () => (early = true));
  await promise;
  cancel();
  assert.equal(early, false);
});
