import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { lstat, open, readlink, realpath } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type FileEntry, treeOfFiles } from "./file-tree.ts";
import type { Git } from "./git-cli.ts";
import { RepositoryUnreadableError, SnapshotUnsafeError } from "./git-errors.ts";
import { buildSnapshot, type Snapshot } from "./snapshot.ts";
import type { TreeLeaf } from "./tree.ts";
import type { TreeReader } from "./tree-reader.ts";

/** The files of a commit, read from git's objects: whatever the work tree holds does not matter. */
export async function snapshotCommit(git: Git, trees: TreeReader, commit: string): Promise<Snapshot> {
  return buildSnapshot({
    commit,
    dirty: false,
    root: await trees.read(await git.treeOf(commit)),
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
  const files: FileEntry[] = [];
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
  return buildSnapshot({
    commit,
    dirty: true,
    root: treeOfFiles(files, "work-tree"),
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

async function readEntry(root: string, path: string, contents?: Map<string, Buffer>): Promise<FileEntry | undefined> {
  const absolute = join(root, path);
  const stats = await lstat(absolute).catch(() => undefined);
  if (stats === undefined) return undefined;
  if (stats.isDirectory()) return { path: path.replace(/\/$/, ""), kind: "submodule", oid: "" };
  if (stats.isSymbolicLink()) return keep(path, "link", Buffer.from(await readlink(absolute)), contents);
  if (!stats.isFile()) return undefined;
  if (stats.size > MAX_FILE_BYTES)
    throw new SnapshotUnsafeError(path, `the file has ${stats.size} bytes`, "put it into .gitignore");
  const handle = await open(absolute, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    return keep(path, (stats.mode & 0o100) === 0 ? "file" : "executable", await handle.readFile(), contents);
  } finally {
    await handle.close();
  }
}

function keep(
  path: string,
  kind: TreeLeaf["kind"],
  content: Buffer,
  contents: Map<string, Buffer> | undefined,
): FileEntry {
  const oid = createHash("sha1").update(`blob ${content.length}\0`).update(content).digest("hex");
  contents?.set(oid, content);
  return { path, kind, oid };
}
