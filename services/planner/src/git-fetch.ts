import type { Git } from "./git-cli.ts";
import { GitFailedError } from "./git-errors.ts";
import { firstLine, type GitSettings, runGit } from "./git-process-cli.ts";
import { isObjectId, isPlausibleReference } from "./object-id.ts";

/** Where a commit is fetched from. */
export interface FetchSource {
  readonly url: string;
  /** A commit, branch or tag. */
  readonly ref: string;
  /** The only transport git may use for it, redirects included. */
  readonly transport: string;
}

/**
 * The commit that `ref` names in the repository at `url`, fetched into `git` unless it is there already.
 *
 * @throws {GitFailedError}
 */
export async function fetchCommit(
  git: Git,
  settings: GitSettings,
  { url, ref, transport }: FetchSource,
): Promise<string> {
  if (!isPlausibleReference(ref)) throw new GitFailedError(`"${ref.slice(0, 80)}" is not a ref`);
  if (isObjectId(ref)) {
    const known = await git.resolveCommit(ref).catch(() => undefined);
    if (known !== undefined) return known;
  }
  const only = [
    "-c",
    "protocol.allow=never",
    "-c",
    `protocol.${transport}.allow=always`,
    "-c",
    "fetch.fsckObjects=true",
    "-c",
    "credential.helper=",
  ];
  const fetch = [
    "fetch",
    "--quiet",
    "--no-tags",
    "--no-recurse-submodules",
    "--no-auto-gc",
    "--depth=1",
    "--end-of-options",
    url,
    ref,
  ];
  const result = await runGit(settings, git.directory, [...only, ...fetch], settings.fetchEnvironment);
  if (result.status !== 0) throw new GitFailedError(`git fetch: ${firstLine(result.stderr)}`);
  return git.resolveCommit("FETCH_HEAD");
}
