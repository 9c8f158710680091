import { defineCounter, defineDuration } from "@xcloudflow/chassis/instruments";

/** Labels: `engine`, `kind` (plan, apply, verify …), `outcome` (planned, applied, failed, canceled …, lost). */
export const stepDuration = defineDuration({
  name: "xcf_step_duration_seconds",
  description: "How long attempts at steps took, from the worker's claim to its report or to the end of its lease.",
});

/** Labels: `engine`, `kind`. */
export const leasesLost = defineCounter({
  name: "xcf_leases_lost_total",
  description: "Attempts given up because their worker stopped renewing its lease.",
});

/** Labels: `engine`, `kind`. What may have changed the world and nobody knows; each is inspected. */
export const attemptsUnknown = defineCounter({
  name: "xcf_attempts_unknown_total",
  description: "Attempts that may have changed something and ended without a known outcome.",
});

export const lateReports = defineCounter({
  name: "xcf_reports_late_total",
  description: "Reports and heartbeats of attempts that were not their worker's any more.",
});

/** Label: `reason` (approval, window, lock, merge). */
export const runWaits = defineCounter({
  name: "xcf_run_waits_total",
  description: "Times a run began to wait, by what it waits for.",
});
