import { DEFAULT_GIT } from "@xcloudflow/planner/git-process-cli";
import { snapshotCommit } from "@xcloudflow/planner/open-snapshot";
import { createRepositories } from "@xcloudflow/planner/repositories";
import type { ReadRepositoryFile } from "@xcloudflow/secrets/secrets-context";

/** Files that secrets backends name, read at the commit whose rules hold, never from a proposal. */
export interface GovernanceFiles {
  readonly read: ReadRepositoryFile;
  close(): void;
}

/** @param governanceCommit the commit whose rules judge the repository's next change; empty before the first apply */
export function createGovernanceFiles(
  governanceCommit: (tenant: string, repository: string) => Promise<string>,
): GovernanceFiles {
  const repositories = createRepositories(DEFAULT_GIT);
  return {
    async read({ tenant, repository, path }) {
      const { git, trees } = await repositories.open(repository);
      const commit = await git.resolveCommit((await governanceCommit(tenant, repository)) || "HEAD");
      const snapshot = await snapshotCommit(git, trees, commit);
      const file = snapshot.file(path);
      if (file === undefined) return undefined;
      return (await snapshot.read([file])).get(file.oid);
    },
    close: () => repositories.close(),
  };
}
