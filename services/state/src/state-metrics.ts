import { defineCounter } from "@xcloudflow/chassis/instruments";

/** Labels: `holder` of the request (attempt, token), `reason` (locked, fence-passed). */
export const lockConflicts = defineCounter({
  name: "xcf_state_lock_conflicts_total",
  description: "Requests for the lock of an engine's state that were refused.",
});
