import { createHash } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { openGit } from "./git-cli.ts";
import { RepositoryUnreadableError } from "./git-errors.ts";
import { firstLine, type GitSettings, runGit } from "./git-process-cli.ts";

/** Bare copies of the repositories that a shared planner reads by their URLs. They may be deleted at any time. */
export interface RepositoryMirrors {
  /**
   * Fetches every ref and answers the copy's folder. Calls for the same URL share one fetch.
   *
   * @throws {RepositoryUnreadableError} when the repository cannot be fetched.
   */
  refresh(url: string): Promise<string>;
}

export interface RepositoryMirrorSettings {
  readonly cacheDirectory: string;
  /** The only transports git may use, redirects included. */
  readonly transports: readonly string[];
}

export function createRepositoryMirrors(git: GitSettings, settings: RepositoryMirrorSettings): RepositoryMirrors {
  const fetching = new Map<string, Promise<string>>();

  async function fetchAll(url: string): Promise<string> {
    const transport = url.slice(0, url.indexOf(":"));
    if (!settings.transports.includes(transport))
      throw new RepositoryUnreadableError(url, `the transport ${transport} is not allowed`);
    const folder = join(settings.cacheDirectory, createHash("sha256").update(url).digest("hex").slice(0, 32));
    await mkdir(folder, { recursive: true, mode: 0o700 });
    (await openGit(folder, git, { init: true })).close();
    const only = ["-c", "protocol.allow=never", "-c", `protocol.${transport}.allow=always`, "-c", "credential.helper="];
    const run = async (...args: string[]): Promise<string> => {
      const result = await runGit(git, folder, [...only, ...args], git.fetchEnvironment);
      if (result.status !== 0) throw new RepositoryUnreadableError(url, `git ${args[0]}: ${firstLine(result.stderr)}`);
      return result.stdout.toString();
    };
    await run(
      "fetch",
      "--quiet",
      "--prune",
      "--force",
      "--no-tags",
      "--no-recurse-submodules",
      "--end-of-options",
      url,
      "+refs/*:refs/*",
    );
    const head = /^ref: (refs\/heads\/\S+)\tHEAD$/m.exec(
      await run("ls-remote", "--symref", "--end-of-options", url, "HEAD"),
    )?.[1];
    if (head !== undefined) await run("symbolic-ref", "HEAD", head);
    return folder;
  }

  return {
    refresh(url) {
      const running = fetching.get(url);
      if (running !== undefined) return running;
      const fetch = fetchAll(url).finally(() => fetching.delete(url));
      fetching.set(url, fetch);
      return fetch;
    },
  };
}
