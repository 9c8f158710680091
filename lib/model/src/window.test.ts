import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  blackoutSchema,
  describeWindowRule,
  isWindowOpen,
  nextWindowOpening,
  type WindowRule,
  windowSchema,
} from "./window.ts";

const nights = windowSchema.parse({ days: ["Mon-Thu"], from: "22:00", to: "05:00", timezone: "Europe/Berlin" });
const rule: WindowRule = { allOf: [[nights]], blackouts: [] };

describe("weekday nights in Berlin", () => {
  // 2026-11-23 is a Monday; Berlin is UTC+1 then.
  const cases: readonly [string, boolean][] = [
    ["2026-11-23T20:59:59Z", false],
    ["2026-11-23T21:00:00Z", true],
    ["2026-11-24T03:59:59Z", true],
    ["2026-11-24T04:00:00Z", false],
    ["2026-11-26T22:30:00Z", true],
    ["2026-11-27T03:30:00Z", true],
    ["2026-11-27T21:30:00Z", false],
    ["2026-11-23T03:30:00Z", false],
    // Summer: Berlin is UTC+2.
    ["2026-07-06T20:30:00Z", true],
    ["2026-07-06T19:30:00Z", false],
  ];
  for (const [instant, open] of cases) {
    test(`${instant} is ${open ? "open" : "closed"}`, () => assert.equal(isWindowOpen(rule, new Date(instant)), open));
  }
});

test("without a rule it is always open", () => {
  assert.equal(isWindowOpen(undefined, new Date("2026-11-23T12:00:00Z")), true);
});

test("every group must be open, any window of a group is enough", () => {
  const day = windowSchema.parse({ days: ["Mon"], from: "10:00", to: "12:00" });
  const noon = windowSchema.parse({ days: ["Mon-Sun"], from: "11:00", to: "13:00" });
  const both: WindowRule = { allOf: [[day], [noon]], blackouts: [] };
  const either: WindowRule = { allOf: [[day, noon]], blackouts: [] };
  const at = (time: string): Date => new Date(`2026-11-23T${time}:00Z`);
  assert.deepEqual(
    ["10:30", "11:30", "12:30"].map((time) => isWindowOpen(both, at(time))),
    [false, true, false],
  );
  assert.deepEqual(
    ["10:30", "11:30", "12:30"].map((time) => isWindowOpen(either, at(time))),
    [true, true, true],
  );
});

test("a blackout closes its days in its own time zone, both ends included", () => {
  const closed: WindowRule = {
    allOf: [],
    blackouts: [blackoutSchema.parse({ from: "2026-12-24", to: "2026-12-26", timezone: "Asia/Tokyo" })],
  };
  assert.equal(isWindowOpen(closed, new Date("2026-12-23T14:59:00Z")), true);
  assert.equal(isWindowOpen(closed, new Date("2026-12-23T15:00:00Z")), false);
  assert.equal(isWindowOpen(closed, new Date("2026-12-26T14:59:00Z")), false);
  assert.equal(isWindowOpen(closed, new Date("2026-12-26T15:00:00Z")), true);
});

describe("the next opening", () => {
  test("is now, when it is open", () => {
    const now = new Date("2026-11-23T23:00:00Z");
    assert.equal(nextWindowOpening(rule, now), now);
  });

  test("is to the minute, days ahead where it must be", () => {
    assert.equal(nextWindowOpening(rule, new Date("2026-11-27T12:34:56Z"))?.toISOString(), "2026-11-30T21:00:00.000Z");
    const odd: WindowRule = { allOf: [[windowSchema.parse({ from: "03:07", to: "03:20" })]], blackouts: [] };
    assert.equal(nextWindowOpening(odd, new Date("2026-11-27T12:00:00Z"))?.toISOString(), "2026-11-28T03:07:00.000Z");
  });

  test("finds a window that is shorter than a quarter of an hour", () => {
    const short: WindowRule = { allOf: [[windowSchema.parse({ from: "03:01", to: "03:04" })]], blackouts: [] };
    assert.equal(nextWindowOpening(short, new Date("2026-11-27T12:00:00Z"))?.toISOString(), "2026-11-28T03:01:00.000Z");
  });

  test("does not exist where windows exclude each other", () => {
    const monday = windowSchema.parse({ days: ["Mon"], from: "10:00", to: "11:00" });
    const tuesday = windowSchema.parse({ days: ["Tue"], from: "10:00", to: "11:00" });
    assert.equal(
      nextWindowOpening({ allOf: [[monday], [tuesday]], blackouts: [] }, new Date("2026-11-27T12:00:00Z")),
      undefined,
    );
  });

  test("is open, and the minute before it is not", () => {
    const minute = fc.integer({ min: 0, max: 1_439 });
    const clock = (value: number): string =>
      `${String(Math.floor(value / 60)).padStart(2, "0")}:${String(value % 60).padStart(2, "0")}`;
    const zone = fc.constantFrom("UTC", "Europe/Berlin", "Asia/Kathmandu", "America/St_Johns", "Australia/Lord_Howe");
    fc.assert(
      fc.property(minute, minute, zone, fc.integer({ min: 0, max: 500_000 }), (from, to, timezone, offset) => {
        const some: WindowRule = {
          allOf: [[windowSchema.parse({ days: ["Tue", "Fri-Sat"], from: clock(from), to: clock(to), timezone })]],
          blackouts: [],
        };
        const start = new Date(Date.UTC(2026, 0, 1) + offset * 60_000);
        const opening = nextWindowOpening(some, start);
        assert.ok(opening !== undefined && opening >= start);
        assert.ok(isWindowOpen(some, opening));
        if (opening > start) assert.equal(isWindowOpen(some, new Date(opening.getTime() - 60_000)), false);
      }),
      { numRuns: 60 },
    );
  });
});

test("a rule is told in one line", () => {
  const told = describeWindowRule({
    allOf: [[nights]],
    blackouts: [blackoutSchema.parse({ from: "2026-12-24", to: "2026-12-26" })],
  });
  assert.equal(told, "Mon-Thu 22:00–05:00 Europe/Berlin; not 2026-12-24 to 2026-12-26");
});
