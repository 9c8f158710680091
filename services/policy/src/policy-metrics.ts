import { defineDuration } from "@xcloudflow/chassis/instruments";

/** Label: `verdict` (allow, deny, error). Waiting for an evaluator to start included. */
export const decisionDuration = defineDuration({
  name: "xcf_policy_decision_duration_seconds",
  description: "How long judging a change took.",
});
