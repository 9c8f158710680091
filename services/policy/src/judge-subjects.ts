import type { BundleEvaluator, EvaluationItem, NamespaceReply } from "./bundle-evaluator.ts";
import { CHANGE_SET_NAMESPACE, chooseNamespaces, isKnown } from "./namespace-choice.ts";
import type { PolicyBundle } from "./policy-bundle.ts";
import { decideSubject, type SubjectDecision } from "./policy-decision.ts";

/** Something to be judged; `unit` is empty for the ChangeSet as a whole. */
export interface Subject {
  readonly unit: string;
  /** JSON text, passed to OPA as it is. */
  readonly input: Uint8Array;
}

/** What a bundle says of a subject, and what its `data.system.log.mask` says of logging that. */
export interface SubjectJudgement {
  readonly subject: Subject;
  /** Those that were asked. */
  readonly namespaces: readonly string[];
  readonly decision: SubjectDecision;
  readonly mask: unknown;
}

/** Documents of this many bytes go to OPA in one request: its threads work side by side, each on a request of its own. */
const BATCH_BYTES = 192 * 1024;

/**
 * Judges every subject under one bundle, units first. Without names, units are asked about under `main`, and the ChangeSet as
 * a whole under `changeset`, if the bundle has such a package: what is written for plans is not shown anything else.
 */
export async function judgeSubjects(
  evaluator: BundleEvaluator,
  bundle: PolicyBundle,
  subjects: readonly Subject[],
  names: readonly string[],
): Promise<SubjectJudgement[]> {
  const isWhole = ({ unit }: Subject): boolean => names.length === 0 && unit === "";
  const parts = await Promise.all([
    judgeUnder(
      evaluator,
      bundle,
      subjects.filter((subject) => !isWhole(subject)),
      names.length === 0 ? ["main"] : names,
    ),
    evaluator.index.namespaces.some(({ name }) => name === CHANGE_SET_NAMESPACE)
      ? judgeUnder(evaluator, bundle, subjects.filter(isWhole), [CHANGE_SET_NAMESPACE])
      : [],
  ]);
  return parts.flat();
}

async function judgeUnder(
  evaluator: BundleEvaluator,
  bundle: PolicyBundle,
  subjects: readonly Subject[],
  names: readonly string[],
): Promise<SubjectJudgement[]> {
  if (subjects.length === 0) return [];
  const namespaces = chooseNamespaces({ names, all: false }, evaluator.index).filter((namespace) =>
    isKnown(namespace, evaluator.index),
  );
  const items = subjects.map(({ unit, input }) => ({ document: input, file: { name: unit, dir: "" } }));
  const replies = await evaluateInBatches(items, (batch) => evaluator.evaluate(batch, namespaces));
  const decisions = subjects.map(({ unit }, position) =>
    decideSubject({ revision: bundle.revision, unit, replies: replies[position] ?? [] }),
  );
  const masks = await askMasks(evaluator, subjects, decisions);
  return subjects.flatMap((subject, position) => {
    const decision = decisions[position];
    return decision === undefined ? [] : [{ subject, namespaces: names, decision, mask: masks[position] }];
  });
}

async function evaluateInBatches(
  items: readonly EvaluationItem[],
  evaluate: (batch: readonly EvaluationItem[]) => Promise<NamespaceReply[][]>,
): Promise<NamespaceReply[][]> {
  const batches: EvaluationItem[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const item of items) {
    if (bytes + item.document.length > BATCH_BYTES) {
      batches.push([]);
      bytes = 0;
    }
    batches.at(-1)?.push(item);
    bytes += item.document.length;
  }
  return (await Promise.all(batches.map(evaluate))).flat();
}

/** OPA's convention: `data.system.log.mask` sees the event that would be logged and names what must not be. */
async function askMasks(
  evaluator: BundleEvaluator,
  subjects: readonly Subject[],
  decisions: readonly SubjectDecision[],
): Promise<unknown[]> {
  const log = evaluator.index.namespaces.find(({ name, speaks }) => name === "system.log" && speaks.includes("mask"));
  if (log === undefined) return [];
  const items = subjects.map(({ unit, input }, position) => ({
    document: Buffer.concat([
      Buffer.from('{"input":'),
      input,
      Buffer.from(`,"result":${JSON.stringify(loggedResult(decisions[position]))}}`),
    ]),
    file: { name: unit, dir: "" },
  }));
  const replies = await evaluateInBatches(items, (batch) => evaluator.evaluate(batch, [log]));
  return replies.map(([reply]) => reply?.answer.spoken["mask"]);
}

/** What the decision log keeps of a decision, before it is masked. */
export function loggedResult(decision: SubjectDecision | undefined): object {
  if (decision === undefined) return {};
  const { denials, warnings, exceptions, successes, tightenings, sensitivePaths } = decision;
  return { denials, warnings, exceptions, successes, tightenings, sensitivePaths };
}
