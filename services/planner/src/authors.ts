import type { AppliedPointer } from "@xcloudflow/model/applied-pointer";
import type { Git } from "./git-cli.ts";

/** Who has a hand in a change, and since when. */
export interface Authorship {
  /** Empty: since the first commit. */
  readonly baseCommit: string;
  readonly authors: readonly string[];
}

/** A unit of the change: what it was applied with before, and the paths it is made of. */
export interface AuthoredUnit {
  readonly appliedCommit: string | undefined;
  readonly paths: readonly string[];
}

export interface AuthorshipQuestion {
  readonly head: string;
  /** A commit that was asked for, resolved. */
  readonly base: string | undefined;
  /** Applied pointers of the environment. */
  readonly pointers: readonly Pick<AppliedPointer, "commit" | "appliedAt">[];
  /** The selected units. */
  readonly units: readonly AuthoredUnit[];
}

/**
 * Everyone who wrote or committed what is not applied yet: all commits since the last applied one, and for units that
 * are further behind (or new) the commits before it that touched their files. A base that was asked for can only add to
 * that, since leaving an author out would let them approve their own change; before anything is applied the base
 * decides, else the first commit.
 */
export async function countAuthors(git: Git, question: AuthorshipQuestion): Promise<Authorship> {
  const { head, base, pointers } = question;
  const last = await lastApplied(git, pointers);
  if (pointers.length === 0) return { baseCommit: base ?? "", authors: await git.listAuthors(head, base) };
  const lists = [await git.listAuthors(head, last)];
  if (base !== undefined) lists.push(await git.listAuthors(head, base));
  if (last !== undefined)
    for (const { since, paths } of await olderRanges(git, question.units, last))
      lists.push(await git.listAuthors(head, since, paths));
  return { baseCommit: base ?? last ?? "", authors: [...new Set(lists.flat())].sort() };
}

/** Undefined when nothing is applied, or a rewritten history has lost it: then everybody in it counts. */
async function lastApplied(git: Git, pointers: AuthorshipQuestion["pointers"]): Promise<string | undefined> {
  const newest = pointers.reduce<(typeof pointers)[number] | undefined>(
    (a, b) => (a === undefined || a.appliedAt < b.appliedAt ? b : a),
    undefined,
  );
  return newest === undefined ? undefined : git.resolveCommit(newest.commit).catch(() => undefined);
}

interface OlderRange {
  readonly since: string | undefined;
  readonly paths: string[];
}

/** More ranges than this are counted as one, from the beginning. */
const MAX_RANGES = 20;

async function olderRanges(git: Git, units: readonly AuthoredUnit[], last: string): Promise<OlderRange[]> {
  const byCommit = new Map<string, Set<string>>();
  for (const { appliedCommit, paths } of units) {
    if (appliedCommit === last) continue;
    const key = appliedCommit ?? "";
    const known = byCommit.get(key) ?? new Set();
    for (const path of paths) known.add(path);
    byCommit.set(key, known);
  }
  if (byCommit.size > MAX_RANGES)
    return [{ since: undefined, paths: [...new Set([...byCommit.values()].flatMap((paths) => [...paths]))] }];
  const ranges: OlderRange[] = [];
  for (const [commit, paths] of byCommit) {
    const since = commit === "" ? undefined : await git.resolveCommit(commit).catch(() => undefined);
    if (paths.size > 0) ranges.push({ since, paths: [...paths] });
  }
  return ranges;
}
