import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { isAbsolute } from "node:path";
import { CommitUnknownError, GitFailedError, RepositoryUnreadableError } from "./git-errors.ts";

/** How git is run. Nothing of the control plane's own environment reaches it but this. */
export interface GitSettings {
  /** The git binary, a name on `path` or an absolute path. */
  readonly binary: string;
  /** `PATH` for git itself. */
  readonly path: string;
  /** Further variables, for fetching only: `SSH_AUTH_SOCK`, `GIT_SSH_COMMAND`, proxies. */
  readonly fetchEnvironment: Readonly<Record<string, string>>;
}

export const DEFAULT_GIT: GitSettings = { binary: "git", path: "/usr/local/bin:/usr/bin:/bin", fetchEnvironment: {} };

/**
 * Switches that take every command out of a repository's own configuration, and every transport: reading objects needs
 * neither. `safe.directory` may be open because of that: the check exists to keep such commands from running.
 */
const HARDENING = [
  "--no-pager",
  "--no-optional-locks",
  "--literal-pathspecs",
  "-c",
  "safe.directory=*",
  "-c",
  "core.fsmonitor=false",
  "-c",
  "core.hooksPath=/dev/null",
  "-c",
  "core.quotePath=false",
  "-c",
  "log.showSignature=false",
  "-c",
  "core.attributesFile=/dev/null",
];

const READ_ONLY = ["-c", "protocol.allow=never"];

function cleanEnvironment(settings: GitSettings): Record<string, string> {
  return {
    PATH: settings.path,
    HOME: "/nonexistent",
    LC_ALL: "C",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_ATTR_NOSYSTEM: "1",
    GIT_TERMINAL_PROMPT: "0",
    GIT_OPTIONAL_LOCKS: "0",
    GIT_NO_REPLACE_OBJECTS: "1",
    GIT_NO_LAZY_FETCH: "1",
  };
}

interface GitResult {
  readonly status: number;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** Largest answer of one command that is kept in memory: a tree listing of some millions of files. */
const MAX_OUTPUT = 1024 * 1024 * 1024;

/** Runs one git command in `directory`. Never goes through a shell; never reads the terminal. */
async function runGit(settings: GitSettings, directory: string, args: readonly string[], extra: Readonly<Record<string, string>> = {}): Promise<GitResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(settings.binary, [...HARDENING, ...args], {
      cwd: directory,
      env: { ...cleanEnvironment(settings), ...extra },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    let size = 0;
    child.stdout.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size > MAX_OUTPUT) child.kill("SIGKILL");
      else stdout.push(chunk);
    });
    child.stderr.on("data", (chunk: Buffer) => {
      if (stderr.length < 100) stderr.push(chunk);
    });
    child.on("error", (cause) => reject(new GitFailedError(`${settings.binary} cannot be started in ${directory}`, cause)));
    child.on("close", (status) => {
      resolve({ status: status ?? -1, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr).toString().trim() });
    });
  });
}

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
  /** Lower-case e-mail addresses of authors, committers and co-authors of `base..head`; all history without `base`. */
  listAuthors(head: string, base: string | undefined): Promise<string[]>;
  /** Files of the work tree: tracked and untracked ones, without ignored ones. */
  listWorkTree(): Promise<string[]>;
  close(): void;
}

/**
 * @param directory absolute path of a work tree, a folder in it, or a bare repository
 * @param options `init`: make it an empty bare repository first, unless it is one already
 * @throws {RepositoryUnreadableError} when it is none
 */
export async function openGit(directory: string, settings: GitSettings = DEFAULT_GIT, options: { readonly init?: boolean } = {}): Promise<Git> {
  if (!isAbsolute(directory) || directory.includes("\0")) throw new RepositoryUnreadableError(directory, "the path must be absolute");
  if (options.init === true) await runGit(settings, directory, [...READ_ONLY, "init", "--quiet", "--bare", "--template="]);
  const run = (args: readonly string[]): Promise<GitResult> => runGit(settings, directory, [...READ_ONLY, ...args]);
  const opened = await run(["rev-parse", "--is-bare-repository", "--absolute-git-dir"]).catch((cause: unknown) => {
    throw new RepositoryUnreadableError(directory, "git cannot be started there", cause);
  });
  if (opened.status !== 0) throw new RepositoryUnreadableError(directory, firstLine(opened.stderr));
  const [bare] = opened.stdout.toString().split("\n");
  const workTree = bare === "true" ? undefined : (await run(["rev-parse", "--show-toplevel"])).stdout.toString().trimEnd();
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
      return (await checked(["rev-parse", "--verify", "--quiet", "--end-of-options", `${objectId(commit)}^{tree}`])).toString().trim();
    },
    async listTree(treeish) {
      return parseTree(await checked(["ls-tree", "-r", "-t", "-z", "--full-tree", objectId(treeish)]));
    },
    readBlobs: (oids) => batch.read(oids),
    async listAuthors(head, base) {
      const range = base === undefined ? [objectId(head)] : [objectId(head), `^${objectId(base)}`];
      // Raw addresses: a .mailmap comes from the repository and could rename an author away.
      const format = "--format=%x00%ae%x00%ce%x00%(trailers:key=Co-authored-by,valueonly,unfold,separator=%x00)";
      return parseAuthors((await checked(["rev-list", format, ...range])).toString());
    },
    async listWorkTree() {
      const listed = await runGit(settings, workTree ?? directory, [...READ_ONLY, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
      if (listed.status !== 0) throw new GitFailedError(`git ls-files: ${firstLine(listed.stderr)}`);
      return [...new Set(listed.stdout.toString().split("\0").filter((path) => path !== ""))];
    },
    close: () => batch.close(),
  };
}

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
export async function fetchCommit(git: Git, settings: GitSettings, { url, ref, transport }: FetchSource): Promise<string> {
  if (!isPlausibleReference(ref)) throw new GitFailedError(`"${ref.slice(0, 80)}" is not a ref`);
  if (isObjectId(ref)) {
    const known = await git.resolveCommit(ref).catch(() => undefined);
    if (known !== undefined) return known;
  }
  const only = ["-c", "protocol.allow=never", "-c", `protocol.${transport}.allow=always`, "-c", "fetch.fsckObjects=true", "-c", "credential.helper="];
  const fetch = ["fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--no-auto-gc", "--depth=1", "--end-of-options", url, ref];
  const result = await runGit(settings, git.directory, [...only, ...fetch], settings.fetchEnvironment);
  if (result.status !== 0) throw new GitFailedError(`git fetch: ${firstLine(result.stderr)}`);
  return git.resolveCommit("FETCH_HEAD");
}

const OBJECT_ID_PATTERN = /^[0-9a-f]{40}(?:[0-9a-f]{24})?$/;

export function isObjectId(text: string): boolean {
  return OBJECT_ID_PATTERN.test(text);
}

function objectId(text: string): string {
  if (!isObjectId(text)) throw new GitFailedError(`"${text.slice(0, 80)}" is not an object id`);
  return text;
}

/** What may be handed to rev-parse: no option, no control character, no search of messages or of the index. */
function isPlausibleReference(reference: string): boolean {
  return reference.length > 0 && reference.length <= 1_000 && !/^[-:]|[\p{Cc}\s]|:\/|\^\{\//u.test(reference);
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

function firstLine(text: string): string {
  return text.split("\n", 1)[0]?.replace(/^fatal: /, "") || "no reason given";
}

interface BlobReader {
  read(oids: readonly string[]): Promise<Map<string, Buffer>>;
  close(): void;
}

interface Waiting {
  readonly oid: string;
  readonly resolve: (content: Buffer) => void;
  readonly reject: (error: Error) => void;
}

/** A resident `git cat-file --batch`: started at the first read, started again when it has died. */
function createBlobReader(settings: GitSettings, directory: string): BlobReader {
  let child: ChildProcessWithoutNullStreams | undefined;
  let waiting: Waiting[] = [];
  let next = 0;
  let chunks: Buffer[] = [];
  let buffered = 0;
  /** Bytes needed before the next answer can be taken: a header is at most this long. */
  let expected = 0;

  const fail = (error: Error): void => {
    const pending = waiting.slice(next);
    waiting = [];
    next = 0;
    chunks = [];
    buffered = 0;
    expected = 0;
    child = undefined;
    for (const { reject } of pending) reject(error);
  };

  const take = (): void => {
    if (buffered < expected) return;
    let data = chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks);
    let rest = true;
    while (rest) {
      const newline = data.indexOf(10);
      if (newline === -1) break;
      const header = data.toString("latin1", 0, newline);
      const current = waiting[next];
      if (current === undefined) return fail(new GitFailedError("cat-file answered without being asked"));
      const [oid, type, length] = header.split(" ");
      if (type !== "blob" || oid !== current.oid) {
        child?.kill("SIGKILL");
        return fail(new GitFailedError(`object ${current.oid} is ${type === "missing" ? "missing" : `a ${type}`}`));
      }
      const end = newline + 1 + Number(length);
      if (data.length < end + 1) {
        expected = end + 1;
        rest = false;
      } else {
        expected = 0;
        next += 1;
        current.resolve(data.subarray(newline + 1, end));
        data = data.subarray(end + 1);
      }
    }
    chunks = data.length === 0 ? [] : [data];
    buffered = data.length;
    if (next === waiting.length) {
      waiting = [];
      next = 0;
    }
  };

  const start = (): ChildProcessWithoutNullStreams => {
    const started = spawn(settings.binary, [...HARDENING, ...READ_ONLY, "cat-file", "--batch"], {
      cwd: directory,
      env: cleanEnvironment(settings),
    });
    started.stdout.on("data", (chunk: Buffer) => {
      chunks.push(chunk);
      buffered += chunk.length;
      take();
    });
    started.stderr.resume();
    started.stdin.on("error", () => undefined);
    started.on("error", (cause) => child === started && fail(new GitFailedError("cat-file cannot be started", cause)));
    started.on("close", () => child === started && fail(new GitFailedError("cat-file ended early")));
    return started;
  };

  return {
    async read(oids) {
      const unique = [...new Set(oids.map(objectId))];
      if (unique.length === 0) return new Map();
      child ??= start();
      const answers = unique.map((oid) => new Promise<Buffer>((resolve, reject) => waiting.push({ oid, resolve, reject })));
      child.stdin.write(`${unique.join("\n")}\n`);
      const contents = await Promise.all(answers);
      return new Map(unique.map((oid, index) => [oid, contents[index] ?? Buffer.alloc(0)]));
    },
    close() {
      const running = child;
      if (running === undefined) return;
      running.stdin.end();
      running.kill("SIGTERM");
    },
  };
}
