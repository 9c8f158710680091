import type { GovernanceRow } from "./rows.ts";

/** The commits whose rules judge a repository's next changes. */
export interface GoverningCommits {
  readonly byEnvironment: Readonly<Record<string, string>>;
  /** Judges environments that have not been applied yet: the newest of the repository's; empty before the first apply. */
  readonly latest: string;
}

/** What one environment applied judges that environment. A new one is judged by what the repository trusted last. */
export function governingCommits(rows: readonly GovernanceRow[]): GoverningCommits {
  const newest = rows.toSorted((a, b) => (a.changedAt < b.changedAt ? 1 : -1))[0];
  return {
    byEnvironment: Object.fromEntries(rows.map(({ environment, commit }) => [environment, commit])),
    latest: newest?.commit ?? "",
  };
}

export function governingCommit(rows: readonly GovernanceRow[], environment: string): string {
  const { byEnvironment, latest } = governingCommits(rows);
  return byEnvironment[environment] ?? latest;
}
