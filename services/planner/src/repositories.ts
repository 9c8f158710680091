import { type Git, openGit } from "./git-cli.ts";
import { RepositoryForbiddenError, RepositoryUnreadableError } from "./git-errors.ts";
import type { GitSettings } from "./git-process-cli.ts";
import type { RepositoryMirrors } from "./repository-mirror.ts";
import { isAllowedRepository, isRepositoryUrl } from "./repository-place.ts";
import { createRepositoryReader, type RepositoryReader } from "./repository-reader.ts";
import { createTreeReader, type TreeReader } from "./tree-reader.ts";

/** A repository kept open, with what has been read of it. */
export interface OpenRepository {
  readonly git: Git;
  readonly trees: TreeReader;
  readonly reader: RepositoryReader;
}

export interface Repositories {
  /**
   * A repository by its URL is fetched first, so that what has been pushed is seen.
   *
   * @throws {RepositoryUnreadableError} @throws {RepositoryForbiddenError}
   */
  open(repository: string): Promise<OpenRepository>;
  close(): void;
}

/** Whose repositories a shared planner reads; without it, any folder its one user names. */
export interface RepositoryRules {
  /** Prefixes: `https://git.example/infra/`, or a folder. */
  readonly allowed: readonly string[];
  readonly mirrors: RepositoryMirrors;
}

/** Opens each repository once and keeps it open. */
export function createRepositories(settings: GitSettings, rules?: RepositoryRules): Repositories {
  const opened = new Map<string, Promise<OpenRepository>>();

  function keepOpen(folder: string): Promise<OpenRepository> {
    const known = opened.get(folder);
    if (known !== undefined) return known;
    const opening = openGit(folder, settings).then((git) => ({
      git,
      trees: createTreeReader(git),
      reader: createRepositoryReader(),
    }));
    opened.set(folder, opening);
    opening.catch(() => opened.delete(folder));
    return opening;
  }

  return {
    async open(repository) {
      if (rules !== undefined && !isAllowedRepository(repository, rules.allowed))
        throw new RepositoryForbiddenError(repository);
      if (!isRepositoryUrl(repository)) return await keepOpen(repository);
      if (rules === undefined)
        throw new RepositoryUnreadableError(repository, "it is not a folder of this machine; clone it first");
      return await keepOpen(await rules.mirrors.refresh(repository));
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
