import type { XcfEvent } from "@xcloudflow/chassis/event";
import type { PolicyContext } from "./policy-context.ts";
import type { CombinedDecision, SubjectDecision } from "./policy-decision.ts";

export interface DecisionMade {
  readonly tenant: string;
  readonly actor: string;
  readonly decisionId: string;
  readonly revisions: readonly string[];
  readonly decisions: readonly SubjectDecision[];
  readonly combined: CombinedDecision;
}

const MOST_NAMED = 50;

/** `policy.decision.made`: what was decided about what, without the findings' texts, which the decision log keeps. */
export function decisionMade({ clock, ids }: Pick<PolicyContext, "clock" | "ids">, made: DecisionMade): XcfEvent {
  const { decisions, combined } = made;
  const denied = [...new Set(decisions.filter(({ denials }) => denials.length > 0).map(({ unit }) => unit))];
  return {
    id: ids.next("evt"),
    tenant: made.tenant,
    service: "policy",
    noun: "decision",
    verb: "made",
    subject: made.decisionId,
    time: clock.now().toISOString(),
    actor: made.actor,
    data: {
      verdict: combined.verdict.verdict,
      revisions: made.revisions,
      units: new Set(decisions.map(({ unit }) => unit)).size,
      denied: denied.slice(0, MOST_NAMED),
      denials: combined.verdict.denials.length,
      warnings: combined.verdict.warnings.length,
      exceptions: decisions.reduce((sum, { exceptions }) => sum + exceptions.length, 0),
      tightenings: combined.tightenings.length,
    },
  };
}
