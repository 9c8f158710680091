import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createIds, createSequentialIds } from "./ids.ts";
import { createSeededRandom, createSystemRandom } from "./random.ts";
import { createSimulatedClock } from "./simulated-clock.ts";

test("ids sort by the order they were made in, whatever the steps of time, backwards ones included", () => {
  fc.assert(
    fc.property(fc.integer(), fc.array(fc.integer({ min: -5, max: 5 }), { maxLength: 200 }), (seed, steps) => {
      let now = Date.UTC(2026, 0, 1);
      const clock = { now: () => new Date(now), schedule: () => () => undefined };
      const ids = createIds(clock, createSeededRandom(seed));
      const made = steps.map((step) => {
        now += step;
        return ids.next("run");
      });
      assert.deepEqual(made.toSorted(), made);
      assert.equal(new Set(made).size, made.length);
      for (const id of made) assert.match(id, /^run_[0-9a-hjkmnp-tv-z]{26}$/);
    }),
  );
});

test("the same seed and clock give the same ids, the system's chance different ones", () => {
  const make = (seed: number) => createIds(createSimulatedClock(), createSeededRandom(seed)).next("cs");
  assert.equal(make(1), make(1));
  assert.notEqual(make(1), make(2));
  const clock = createSimulatedClock();
  assert.notEqual(createIds(clock, createSystemRandom()).next("cs"), createIds(clock, createSystemRandom()).next("cs"));
});

test("sequential ids count per prefix", () => {
  const ids = createSequentialIds();
  assert.deepEqual(
    [ids.next("a"), ids.next("a"), ids.next("b")].map((id) => id.replace(/0+/, "")),
    ["a_1", "a_2", "b_1"],
  );
});

test("chance stays in its range and reaches all of it", () => {
  for (const random of [createSeededRandom(7), createSystemRandom()]) {
    const seen = new Set<number>();
    for (let index = 0; index < 2000; index++) {
      const float = random.float();
      assert.ok(float >= 0 && float < 1);
      seen.add(random.integer(10));
    }
    assert.deepEqual(
      [...seen].toSorted((a, b) => a - b),
      [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    );
  }
});
