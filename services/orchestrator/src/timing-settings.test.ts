import assert from "node:assert/strict";
import { test } from "node:test";
import { readConfig } from "@xcloudflow/chassis/config";
import { z } from "zod";
import { DEFAULT_TIMING } from "./orchestrator-context.ts";
import { timingOf, timingSettings } from "./timing-settings.ts";

const read = (environment: Readonly<Record<string, string>>) =>
  timingOf(readConfig(z.object(timingSettings), environment));

test("without settings the periods are the defaults", () => {
  assert.deepEqual(read({}), DEFAULT_TIMING);
});

test("periods are given in seconds, and a run is left alone for longer than a sweep", () => {
  const timing = read({ XCF_LEASE_SECONDS: "4", XCF_LEASE_GRACE_SECONDS: "1", XCF_SWEEP_SECONDS: "2" });
  assert.deepEqual(timing, { ...DEFAULT_TIMING, lease: 4_000, grace: 1_000, sweep: 2_000, drive: 3_000 });
});

test("every wrong period is named at once", () => {
  assert.throws(
    () => read({ XCF_LEASE_SECONDS: "2", XCF_LEASE_GRACE_SECONDS: "0", XCF_SWEEP_SECONDS: "soon" }),
    /XCF_LEASE_SECONDS: must be 3 or more; XCF_LEASE_GRACE_SECONDS: .*whole number.*; XCF_SWEEP_SECONDS: .*whole number/,
  );
});
