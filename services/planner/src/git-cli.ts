import { isAbsolute } from "node:path";
import { createBlobReader } from "./cat-file-cli.ts";
import { CommitUnknownError, GitFailedError, RepositoryUnreadableError } from "./git-errors.ts";
import { DEFAULT_GIT, firstLine, type GitResult, type GitSettings, READ_ONLY, runGit } from "./git-process-cli.ts";
import { isObjectId, isPlausibleReference, objectId } from "./object-id.ts";

const MAX_PATHS_LENGTH = 60_000;

/** One line of `git ls-tree`. Trees are listed too, so that a folder's own object id is known. */
export interface TreeLine {
  readonly path: string;
  readonly mode: string;
  readonly oid: string;
}

/** A repository opened for reading. Reads objects by their ids, never the work tree, unless asked to list it. */
export interface Git {
  readonly directory: string;
  /** Absolute; undefined for a bare repository. */
  readonly workTree: string | undefined;
  /** @throws {CommitUnknownError} */
  resolveCommit(reference: string): Promise<string>;
  /** The object id of a commit's root tree. */
  treeOf(commit: string): Promise<string>;
  /** Every entry below a commit's or a tree's root, folders included, in git's order. */
  listTree(treeish: string): Promise<TreeLine[]>;
  /** Contents by object id. @throws {GitFailedError} when one is missing or not a blob. */
  readBlobs(oids: readonly string[]): Promise<Map<string, Buffer>>;
  /**
   * Lower-case e-mail addresses of authors, committers and co-authors of `base..head`; all history without `base`. With
   * paths, only of the commits that touched them.
   */
  listAuthors(head: string, base: string | undefined, paths?: readonly string[]): Promise<string[]>;
  /** Files of the work tree: tracked and untracked ones, without ignored ones. */
  listWorkTree(): Promise<string[]>;
  close(): void;
}

/**
 * @param directory absolute path of a work tree, a folder in it, or a bare repository
 * @param options `init`: make it an empty bare repository first, unless it is one already
 * @throws {RepositoryUnreadableError} when it is none
 */
export async function openGit(
  directory: string,
  settings: GitSettings = DEFAULT_GIT,
  options: { readonly init?: boolean } = {},
): Promise<Git> {
  if (!isAbsolute(directory) || directory.includes("\0"))
    throw new RepositoryUnreadableError(directory, "the path must be absolute");
  if (options.init === true)
    await runGit(settings, directory, [...READ_ONLY, "init", "--quiet", "--bare", "--template="]);
  const run = (args: readonly string[]): Promise<GitResult> => runGit(settings, directory, [...READ_ONLY, ...args]);
  const opened = await run(["rev-parse", "--is-bare-repository", "--absolute-git-dir"]).catch((cause: unknown) => {
    throw new RepositoryUnreadableError(directory, "git cannot be started there", cause);
  });
  if (opened.status !== 0) throw new RepositoryUnreadableError(directory, firstLine(opened.stderr));
  const [bare] = opened.stdout.toString().split("\n");
  const workTree =
    bare === "true" ? undefined : (await run(["rev-parse", "--show-toplevel"])).stdout.toString().trimEnd();
  const batch = createBlobReader(settings, directory);

  const checked = async (args: readonly string[]): Promise<Buffer> => {
    const result = await run(args);
    if (result.status !== 0) throw new GitFailedError(`git ${args[0]}: ${firstLine(result.stderr)}`);
    return result.stdout;
  };

  return {
    directory,
    workTree,
    async resolveCommit(reference) {
      if (!isPlausibleReference(reference)) throw new CommitUnknownError(directory, reference);
      const result = await run(["rev-parse", "--verify", "--quiet", "--end-of-options", `${reference}^{commit}`]);
      const commit = result.stdout.toString().trim();
      if (result.status === 0 && isObjectId(commit)) return commit;
      const shallow = (await run(["rev-parse", "--is-shallow-repository"])).stdout.toString().trim() === "true";
      throw new CommitUnknownError(directory, reference, shallow);
    },
    async treeOf(commit) {
      return (await checked(["rev-parse", "--verify", "--quiet", "--end-of-options", `${objectId(commit)}^{tree}`]))
        .toString()
        .trim();
    },
    async listTree(treeish) {
      return parseTree(await checked(["ls-tree", "-r", "-t", "-z", "--full-tree", objectId(treeish)]));
    },
    readBlobs: (oids) => batch.read(oids),
    async listAuthors(head, base, paths = []) {
      const range = base === undefined ? [objectId(head)] : [objectId(head), `^${objectId(base)}`];
      // A list too long for a command line counts everybody, which is never too few.
      const touching =
        paths.length === 0 || paths.join("").length > MAX_PATHS_LENGTH ? [] : ["--full-history", "--", ...paths];
      // Raw addresses: a .mailmap comes from the repository and could rename an author away.
      const format = "--format=%x00%ae%x00%ce%x00%(trailers:key=Co-authored-by,valueonly,unfold,separator=%x00)";
      return parseAuthors((await checked(["rev-list", format, ...range, ...touching])).toString());
    },
    async listWorkTree() {
      const listed = await runGit(settings, workTree ?? directory, [
        ...READ_ONLY,
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
      ]);
      if (listed.status !== 0) throw new GitFailedError(`git ls-files: ${firstLine(listed.stderr)}`);
      return [
        ...new Set(
          listed.stdout
            .toString()
            .split("\0")
            .filter((path) => path !== ""),
        ),
      ];
    },
    close: () => batch.close(),
  };
}

function parseTree(output: Buffer): TreeLine[] {
  const lines: TreeLine[] = [];
  // Paths are bytes to git. One that is not UTF-8 decodes to a replacement character, which the snapshot refuses.
  for (const record of output.toString().split("\0")) {
    const tab = record.indexOf("\t");
    if (tab === -1) continue;
    const mode = record.slice(0, 6);
    lines.push({ path: record.slice(tab + 1), mode, oid: record.slice(record.lastIndexOf(" ", tab) + 1, tab) });
  }
  return lines;
}

const ADDRESS_IN_TRAILER = /<([^<>\s]+)>/;

/** Each commit is a line `commit <id>`, then one whose fields begin with NUL. */
function parseAuthors(output: string): string[] {
  const found = new Set<string>();
  for (const line of output.split("\n")) {
    if (!line.startsWith("\0")) continue;
    for (const field of line.split("\0")) {
      const address = (ADDRESS_IN_TRAILER.exec(field)?.[1] ?? field).trim().toLowerCase();
      if (address !== "") found.add(address);
    }
  }
  return [...found].sort();
}
