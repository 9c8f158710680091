import { appendEvents } from "@xcloudflow/database/outbox";
import { tenantScope } from "@xcloudflow/database/scope";
import { sha256Hex } from "@xcloudflow/model/digest";
import type { DecisionRow } from "./decision-log.ts";
import { maskResult } from "./decision-mask.ts";
import { insertDecisions } from "./decision-store.ts";
import { judgeSubjects, loggedResult, type Subject, type SubjectJudgement } from "./judge-subjects.ts";
import type { PolicyContext } from "./policy-context.ts";
import { type CombinedDecision, combineDecisions } from "./policy-decision.ts";
import { decisionMade } from "./policy-events.ts";
import { decisionDuration } from "./policy-metrics.ts";

export interface ChangeQuestion {
  /** The governing revision first. */
  readonly revisions: readonly string[];
  readonly subjects: readonly Subject[];
  readonly namespaces: readonly string[];
}

export interface ChangeDecision extends CombinedDecision {
  readonly decisionId: string;
}

/**
 * Judges every subject under every revision, writes the decision down, and answers the stricter of all. A revision
 * without policies allows without asking OPA.
 *
 * @throws {BundleMissingError} when a revision was never loaded, {@link PolicyUnavailableError} when OPA cannot answer.
 */
export async function evaluateChange(
  context: PolicyContext,
  who: { readonly tenant: string; readonly actor: string },
  question: ChangeQuestion,
): Promise<ChangeDecision> {
  const started = performance.now();
  const end = (verdict: string): void => decisionDuration.record((performance.now() - started) / 1_000, { verdict });
  try {
    const decision = await decideChange(context, who, question);
    end(decision.verdict.verdict);
    return decision;
  } catch (error) {
    end("error");
    throw error;
  }
}

async function decideChange(
  context: PolicyContext,
  who: { readonly tenant: string; readonly actor: string },
  question: ChangeQuestion,
): Promise<ChangeDecision> {
  const revisions = [...new Set(question.revisions)];
  const judgements = await Promise.all(
    revisions.map((revision) => judgeUnder(context, who.tenant, revision, question)),
  );
  const decisions = judgements.flat().map(({ decision }) => decision);
  const combined = combineDecisions(revisions, decisions);
  const decisionId = context.ids.next("dec");
  const rows = await describeDecisions(context, who.actor, decisionId, judgements.flat());
  const event = decisionMade(context, { ...who, decisionId, revisions, decisions, combined });
  await context.database.transaction(tenantScope("policy", who.tenant, "record-decision"), async (tx) => {
    await insertDecisions(tx, rows);
    await appendEvents(tx, "policy", [event]);
  });
  return { ...combined, decisionId };
}

async function judgeUnder(
  context: PolicyContext,
  tenant: string,
  revision: string,
  question: ChangeQuestion,
): Promise<SubjectJudgement[]> {
  const bundle = await context.bundles.get(tenant, revision);
  if (bundle.policies.length === 0 || question.subjects.length === 0) return [];
  return context.tools.pool.use(tenant, bundle, (evaluator) =>
    judgeSubjects(evaluator, bundle, question.subjects, question.namespaces),
  );
}

async function describeDecisions(
  context: PolicyContext,
  actor: string,
  decisionId: string,
  judgements: readonly SubjectJudgement[],
): Promise<DecisionRow[]> {
  if (judgements.length === 0) return [];
  const { version } = await context.tools.opa();
  const digests = new Map<Subject, string>();
  const digestOf = (subject: Subject): string => {
    const digest = digests.get(subject) ?? `sha256:${sha256Hex(subject.input)}`;
    digests.set(subject, digest);
    return digest;
  };
  const now = context.clock.now();
  return judgements.map(({ subject, namespaces, decision, mask }, position) => {
    const { result, erased, masked } = maskResult(loggedResult(decision), mask);
    return {
      decision_id: decisionId,
      position,
      revision: decision.revision,
      unit: decision.unit,
      namespaces: JSON.stringify(namespaces),
      input_digest: digestOf(subject),
      verdict: decision.denials.length === 0 ? "allow" : "deny",
      result: JSON.stringify(result ?? null),
      erased: JSON.stringify(erased),
      masked: JSON.stringify(masked),
      opa_version: version,
      requested_by: actor,
      decided_at: now,
    };
  });
}
