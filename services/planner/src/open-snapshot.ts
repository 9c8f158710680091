import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { lstat, open, readlink, realpath } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Git } from "./git-cli.ts";
import { RepositoryUnreadableError, SnapshotUnsafeError } from "./git-errors.ts";
import { buildSnapshot, type Snapshot, type SnapshotEntry } from "./snapshot.ts";

/** The files of a commit, read from git's objects: whatever the work tree holds does not matter. */
export async function snapshotCommit(git: Git, commit: string): Promise<Snapshot> {
  const [identity, entries] = await Promise.all([git.treeOf(commit), git.listTree(commit)]);
  return buildSnapshot({
    commit,
    dirty: false,
    identity,
    entries,
    read: (files) => git.readBlobs(files.map(({ oid }) => oid)),
  });
}

/** Work-tree files larger than this are refused; git's objects are not limited here, archives are. */
const MAX_FILE_BYTES = 256 * 1024 * 1024;

/**
 * The work tree as it is now: tracked and untracked files without ignored ones. Contents get the ids git would give
 * them, so that what is unchanged is recognized.
 *
 * @throws {RepositoryUnreadableError} for a bare repository
 */
export async function snapshotWorkTree(git: Git, commit: string): Promise<Snapshot> {
  const { workTree } = git;
  if (workTree === undefined) throw new RepositoryUnreadableError(git.directory, "a bare repository has no work tree");
  const root = await realpath(workTree);
  const paths = (await git.listWorkTree()).sort();
  const realFolders = new Map<string, boolean>();
  const files: SnapshotEntry[] = [];
  for (const path of paths) {
    const folder = dirname(path);
    let real = realFolders.get(folder);
    if (real === undefined) {
      real = (await realpath(join(root, folder)).catch(() => undefined)) === join(root, folder);
      realFolders.set(folder, real);
    }
    // Below a folder that has been replaced by a link, the index still names files that are somewhere else.
    const entry = real ? await readEntry(root, path) : undefined;
    if (entry !== undefined) files.push(entry);
  }
  const entries = withFolders(files);
  return buildSnapshot({
    commit,
    dirty: true,
    identity: identityOf(files),
    entries,
    read: async (wanted) => {
      const contents = new Map<string, Buffer>();
      for (const { path, oid } of wanted) {
        const entry = await readEntry(root, path, contents);
        if (entry?.oid !== oid)
          throw new SnapshotUnsafeError(path, "the file was changed while it was being read", "try again");
      }
      return contents;
    },
  });
}

async function readEntry(
  root: string,
  path: string,
  contents?: Map<string, Buffer>,
): Promise<SnapshotEntry | undefined> {
  const absolute = join(root, path);
  const stats = await lstat(absolute).catch(() => undefined);
  if (stats === undefined) return undefined;
  if (stats.isDirectory()) return { path: path.replace(/\/$/, ""), mode: "160000", oid: "" };
  if (stats.isSymbolicLink()) return keep(path, "120000", Buffer.from(await readlink(absolute)), contents);
  if (!stats.isFile()) return undefined;
  if (stats.size > MAX_FILE_BYTES)
    throw new SnapshotUnsafeError(path, `the file has ${stats.size} bytes`, "put it into .gitignore");
  const handle = await open(absolute, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    return keep(path, (stats.mode & 0o100) === 0 ? "100644" : "100755", await handle.readFile(), contents);
  } finally {
    await handle.close();
  }
}

function keep(path: string, mode: string, content: Buffer, contents: Map<string, Buffer> | undefined): SnapshotEntry {
  const oid = createHash("sha1").update(`blob ${content.length}\0`).update(content).digest("hex");
  contents?.set(oid, content);
  return { path, mode, oid };
}

function identityOf(files: readonly SnapshotEntry[]): string {
  const hash = createHash("sha256");
  for (const { path, mode, oid } of files) hash.update(`${mode} ${oid} ${path}\0`);
  return `work-tree:${hash.digest("hex")}`;
}

/** Puts an entry before the files of each folder, as `git ls-tree -t` does. */
function withFolders(files: readonly SnapshotEntry[]): SnapshotEntry[] {
  const members = new Map<string, SnapshotEntry[]>();
  const sorted = [...files].sort((a, b) => compareSegments(a.path, b.path));
  for (const file of sorted) {
    for (let slash = file.path.indexOf("/"); slash !== -1; slash = file.path.indexOf("/", slash + 1)) {
      const folder = file.path.slice(0, slash);
      const known = members.get(folder);
      if (known === undefined) members.set(folder, [file]);
      else known.push(file);
    }
  }
  const entries: SnapshotEntry[] = [];
  const placed = new Set<string>();
  for (const file of sorted) {
    for (let slash = file.path.indexOf("/"); slash !== -1; slash = file.path.indexOf("/", slash + 1)) {
      const folder = file.path.slice(0, slash);
      if (placed.has(folder)) continue;
      placed.add(folder);
      entries.push({ path: folder, mode: "040000", oid: identityOf(members.get(folder) ?? []) });
    }
    entries.push(file);
  }
  return entries;
}

/** Orders `a/b` before `a-b`, so that what is in a folder stands together. */
function compareSegments(a: string, b: string): number {
  const [left, right] = [a.replaceAll("/", "\0"), b.replaceAll("/", "\0")];
  return left < right ? -1 : left > right ? 1 : 0;
}
