import type { ChangeSet } from "@xcloudflow/model/change-set";
import { compareFreshness, type FreshnessDifference } from "@xcloudflow/model/freshness";
import { compileEnvironment } from "./compile.ts";
import { CommitUnknownError } from "./git-errors.ts";
import { snapshotCommit } from "./open-snapshot.ts";
import type { PlannerContext } from "./planner-context.ts";
import type { OpenRepository } from "./repositories.ts";

export interface FreshnessQuestion {
  readonly repository: string;
  readonly head: string;
  readonly governanceCommit: string;
}

export interface Freshness {
  readonly differences: FreshnessDifference[];
  /** The commit compared with. */
  readonly commit: string;
  /** The branch the ChangeSet's commit is not in yet; empty when that is not the reason. */
  readonly waitsForMergeInto: string;
}

/**
 * Compares what was approved with what the environment is to be now. That is its branch, for an environment that applies
 * after merge and whose branch this repository has; else the head that was asked about. What is not merged yet is not
 * stale: it waits.
 */
export async function checkFreshness(
  context: PlannerContext,
  tenant: string,
  changeSet: ChangeSet,
  question: FreshnessQuestion,
): Promise<Freshness> {
  const repository = await context.repositories.open(question.repository);
  const branch = await truthOf(repository, changeSet, question);
  const current = await compileEnvironment(context, {
    tenant,
    repository: question.repository,
    head: branch?.commit ?? question.head,
    base: "",
    environment: changeSet.environment,
    dirty: false,
    only: [],
    replace: [],
    destroy: false,
    governanceCommit: question.governanceCommit,
    governanceCommits: {},
    appliedOnly: changeSet.origin.kind === "drift",
    upload: false,
  });
  const differences = compareFreshness(changeSet, current);
  const early =
    branch !== undefined &&
    differences.length > 0 &&
    !(await repository.git.isAncestor(changeSet.commit, branch.commit));
  return { differences: early ? [] : differences, commit: current.commit, waitsForMergeInto: early ? branch.name : "" };
}

/** The environment's branch by the rules that govern; undefined where it applies before merge or there is no such branch. */
async function truthOf(
  { git, trees, reader }: OpenRepository,
  changeSet: ChangeSet,
  { governanceCommit }: FreshnessQuestion,
): Promise<{ readonly name: string; readonly commit: string } | undefined> {
  const judge = governanceCommit === "" ? changeSet.commit : governanceCommit;
  const { monorepo } = await reader.read(await snapshotCommit(git, trees, judge), "governing");
  const spec = monorepo.environments.get(changeSet.environment)?.value.spec;
  if (spec === undefined || spec.applyWhen === "before-merge") return undefined;
  try {
    return { name: spec.ref, commit: await git.resolveCommit(`refs/heads/${spec.ref}`) };
  } catch (error) {
    if (error instanceof CommitUnknownError) return undefined;
    throw error;
  }
}
