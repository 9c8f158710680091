import { count } from "@xcloudflow/chassis/mesh-settings";
import { DEFAULT_TIMING, type OrchestratorTiming } from "./orchestrator-context.ts";

const seconds = count.transform((number) => number * 1_000);
/** A worker beats every third of its lease and kills its engine in the last fifth: less leaves neither any time. */
const LEAST_LEASE_MS = 3_000;

/** Periods that an operator may choose; the same in every replica. */
export const timingSettings = {
  XCF_LEASE_SECONDS: seconds
    .refine((milliseconds) => milliseconds >= LEAST_LEASE_MS, "must be 3 or more")
    .default(DEFAULT_TIMING.lease),
  XCF_LEASE_GRACE_SECONDS: seconds.default(DEFAULT_TIMING.grace),
  XCF_SWEEP_SECONDS: seconds.default(DEFAULT_TIMING.sweep),
};

export interface TimingSettings {
  readonly XCF_LEASE_SECONDS: number;
  readonly XCF_LEASE_GRACE_SECONDS: number;
  readonly XCF_SWEEP_SECONDS: number;
}

/** A run is left alone for longer than a sweep, so that each replica sweeps its own first. */
export function timingOf(settings: TimingSettings): OrchestratorTiming {
  const sweep = settings.XCF_SWEEP_SECONDS;
  return {
    ...DEFAULT_TIMING,
    lease: settings.XCF_LEASE_SECONDS,
    grace: settings.XCF_LEASE_GRACE_SECONDS,
    sweep,
    drive: sweep * 1.5,
  };
}
