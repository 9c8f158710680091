import { type Git, openGit } from "./git-cli.ts";
import { RepositoryUnreadableError } from "./git-errors.ts";
import type { GitSettings } from "./git-process-cli.ts";
import { createRepositoryReader, type RepositoryReader } from "./repository-reader.ts";
import { createTreeReader, type TreeReader } from "./tree-reader.ts";

/** A repository kept open, with what has been read of it. */
export interface OpenRepository {
  readonly git: Git;
  readonly trees: TreeReader;
  readonly reader: RepositoryReader;
}

export interface Repositories {
  /** @throws {RepositoryUnreadableError} */
  open(repository: string): Promise<OpenRepository>;
  close(): void;
}

/** Opens each repository once and keeps it open. */
export function createRepositories(settings: GitSettings): Repositories {
  const opened = new Map<string, Promise<OpenRepository>>();
  return {
    open(repository) {
      const known = opened.get(repository);
      if (known !== undefined) return known;
      if (/^[a-z+]+:\/\//.test(repository)) {
        return Promise.reject(
          new RepositoryUnreadableError(repository, "it is not a folder of this machine; clone it first"),
        );
      }
      const opening = openGit(repository, settings).then((git) => ({
        git,
        trees: createTreeReader(git),
        reader: createRepositoryReader(),
      }));
      opened.set(repository, opening);
      opening.catch(() => opened.delete(repository));
      return opening;
    },
    close() {
      for (const opening of opened.values())
        void opening.then(
          ({ git }) => git.close(),
          () => undefined,
        );
      opened.clear();
    },
  };
}
