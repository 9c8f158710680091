import { isAbsolute } from "node:path";
import { createObjectReader } from "./cat-file-cli.ts";
import { CommitUnknownError, GitFailedError, RepositoryUnreadableError } from "./git-errors.ts";
import { DEFAULT_GIT, firstLine, type GitResult, type GitSettings, READ_ONLY, runGit } from "./git-process-cli.ts";
import { isPlausibleReference, objectId } from "./object-id.ts";

const MAX_PATHS_LENGTH = 60_000;

/** A commit and the tree it is of. */
export interface ResolvedCommit {
  readonly commit: string;
  readonly tree: string;
}

/** A repository opened for reading. Reads objects by their ids, never the work tree, unless asked to list it. */
export interface Git {
  readonly directory: string;
  /** Absolute; undefined for a bare repository. */
  readonly workTree: string | undefined;
  /** @throws {CommitUnknownError} */
  resolveCommit(reference: string): Promise<string>;
  /** Whether everything of `commit` is in `head`. */
  isAncestor(commit: string, head: string): Promise<boolean>;
  /** The object id of a commit's root tree. */
  treeOf(commit: string): Promise<string>;
  /** Contents by object id. @throws {GitFailedError} when one is missing or not a blob. */
  readBlobs(oids: readonly string[]): Promise<Map<string, Buffer>>;
  /** Trees as git stores them, by object id. @throws {GitFailedError} when one is missing or not a tree. */
  readTrees(oids: readonly string[]): Promise<Map<string, Buffer>>;
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
  const objects = createObjectReader(settings, directory);

  const commitAt = async (reference: string): Promise<ResolvedCommit> => {
    if (!isPlausibleReference(reference)) throw new CommitUnknownError(directory, reference);
    const [found] = await objects.read([`${reference}^{commit}`]);
    const tree =
      found?.type === "commit" ? /^tree ([0-9a-f]+)\n/.exec(found.content.toString("latin1", 0, 80))?.[1] : undefined;
    if (found !== undefined && tree !== undefined) return { commit: found.oid, tree };
    const shallow = (await run(["rev-parse", "--is-shallow-repository"])).stdout.toString().trim() === "true";
    throw new CommitUnknownError(directory, reference, shallow);
  };

  const readObjects = async (type: "blob" | "tree", oids: readonly string[]): Promise<Map<string, Buffer>> => {
    const unique = [...new Set(oids.map(objectId))];
    const answers = await objects.read(unique);
    return new Map(
      unique.map((oid, index) => {
        const object = answers[index];
        if (object?.type === type) return [oid, object.content];
        throw new GitFailedError(
          `object ${oid} is ${object === undefined ? "missing" : `a ${object.type}, not a ${type}`}`,
        );
      }),
    );
  };

  const checked = async (args: readonly string[]): Promise<Buffer> => {
    const result = await run(args);
    if (result.status !== 0) throw new GitFailedError(`git ${args[0]}: ${firstLine(result.stderr)}`);
    return result.stdout;
  };

  return {
    directory,
    workTree,
    async resolveCommit(reference) {
      return (await commitAt(reference)).commit;
    },
    async isAncestor(commit, head) {
      return (await run(["merge-base", "--is-ancestor", objectId(commit), objectId(head)])).status === 0;
    },
    async treeOf(commit) {
      return (await commitAt(objectId(commit))).tree;
    },
    readBlobs: (oids) => readObjects("blob", oids),
    readTrees: (oids) => readObjects("tree", oids),
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
    close: () => objects.close(),
  };
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
