import assert from "node:assert/strict";
import { test } from "node:test";
import type { XcfEvent } from "@xcloudflow/chassis/event";
import type { Command } from "./decision.ts";
import { commandsOf } from "./remote-events.ts";

function event(noun: string, verb: string, subject: string, data: XcfEvent["data"] = {}): XcfEvent {
  return {
    id: "evt_1",
    tenant: "default",
    service: "orchestrator",
    noun,
    verb,
    subject,
    time: "2026-01-01T12:00:00.000Z",
    actor: "orchestrator",
    data,
  };
}

const UNIT = "prod/shop/db";
const OF_RUN = { run: "run_1" };
const TASK = { run: "run_1", task: "task_1", kind: "apply", engine: "terraform", pool: "apply" };

const heard: readonly (readonly [string, XcfEvent, readonly Command[]])[] = [
  [
    "a queued task wakes claims of its engine and watchers of its step",
    event("task", "queued", UNIT, TASK),
    [
      { kind: "offer", engine: "terraform", pool: "apply" },
      { kind: "notify", run: "run_1", units: [UNIT] },
    ],
  ],
  [
    "a started attempt wakes watchers of its step",
    event("attempt", "started", UNIT, OF_RUN),
    [{ kind: "notify", run: "run_1", units: [UNIT] }],
  ],
  [
    "a step that succeeded wakes its watchers",
    event("step", "succeeded", UNIT, OF_RUN),
    [{ kind: "notify", run: "run_1", units: [UNIT] }],
  ],
  [
    "a step that failed makes watchers look at all, since others were skipped",
    event("step", "failed", UNIT, OF_RUN),
    [{ kind: "notify", run: "run_1" }],
  ],
  ["a run that waits tells its watchers", event("run", "waited", "run_1"), [{ kind: "notify", run: "run_1" }]],
  ["an approval wakes nobody here: its replica drives the run", event("approval", "given", "cs_1"), []],
  ["a released lock wakes nobody here", event("lock", "released", "prod", OF_RUN), []],
  ["another service's run is none of ours", { ...event("run", "ended", "run_1"), service: "state" }, []],
  ["data of another shape says nothing", event("task", "queued", UNIT, { run: "run_1", engine: 7 }), []],
  ["a step without its run says nothing", event("step", "failed", UNIT), []],
];

for (const [behaviour, given, expected] of heard)
  test(behaviour, () => {
    assert.deepEqual(commandsOf(given), expected);
  });

test("no event makes a replica drive", () => {
  for (const noun of ["run", "step", "task", "attempt", "approval", "lock", "change-set", "governance"])
    for (const verb of ["queued", "given", "released", "requested", "started", "succeeded", "planned"])
      assert.ok(commandsOf(event(noun, verb, "run_1", TASK)).every((command) => command.kind !== "drive"));
});
