import { posix } from "node:path";
import { SnapshotUnsafeError } from "./git-errors.ts";
import { entryAt, flawOf, leavesOf, type Tree } from "./tree.ts";

/** A file of a snapshot. `link` is a symbolic link whose content is its target. */
export interface SnapshotFile {
  readonly path: string;
  readonly kind: "file" | "executable" | "link";
  /** Git's object id of the content: equal ids, equal contents. */
  readonly oid: string;
}

/** A folder: its identity changes when anything below it changes. */
export interface SnapshotFolder {
  readonly path: string;
  readonly tree: Tree;
  readonly identity: string;
  /** Some file below is a symbolic link, so that the identity does not say everything. */
  readonly linked: boolean;
  /** Everything below, in git's order. */
  readonly files: readonly SnapshotFile[];
  /** Names of the files directly in it. */
  readonly names: readonly string[];
}

/** The files of a commit, or of a work tree at one moment. Nothing outside of it can be reached through it. */
export interface Snapshot {
  /** The commit, or the one that the work tree is based on. */
  readonly commit: string;
  readonly dirty: boolean;
  readonly root: Tree;
  file(path: string): SnapshotFile | undefined;
  /** `""` is the root. Undefined when there is no such folder. */
  folder(path: string): SnapshotFolder | undefined;
  /** Contents by object id. */
  read(files: readonly SnapshotFile[]): Promise<ReadonlyMap<string, Buffer>>;
}

export interface SnapshotSource {
  readonly commit: string;
  readonly dirty: boolean;
  readonly root: Tree;
  readonly read: Snapshot["read"];
}

/** Files that one folder may have, whichever way they are listed; equal folders inside each other multiply quickly. */
const MAX_FILES = 1_000_000;

export function buildSnapshot(source: SnapshotSource): Snapshot {
  const { root } = source;
  const folders = new Map<string, SnapshotFolder>();
  return {
    ...source,
    file(path) {
      const entry = entryAt(root, path);
      if (entry === undefined || entry.kind === "tree" || entry.kind === "submodule") return undefined;
      return { path, kind: entry.kind, oid: entry.oid };
    },
    folder(path) {
      let folder = folders.get(path);
      if (folder !== undefined) return folder;
      const tree = entryAt(root, path);
      if (tree?.kind !== "tree") return undefined;
      folder = new TreeFolder(path, tree);
      folders.set(path, folder);
      return folder;
    },
  };
}

class TreeFolder implements SnapshotFolder {
  readonly path: string;
  readonly tree: Tree;

  constructor(path: string, tree: Tree) {
    this.path = path;
    this.tree = tree;
  }

  get identity(): string {
    return this.tree.identity;
  }

  get linked(): boolean {
    return this.tree.linked;
  }

  get files(): readonly SnapshotFile[] {
    return listFiles(this.path, this.tree);
  }

  get names(): readonly string[] {
    const leaves = [...this.tree.entries].filter(([, { kind }]) => kind !== "tree" && kind !== "submodule");
    return leaves.map(([name]) => name);
  }
}

function listFiles(path: string, tree: Tree): SnapshotFile[] {
  if (tree.count > MAX_FILES) throw new SnapshotUnsafeError(path, `the folder has ${tree.count} files`, "split it");
  const files: SnapshotFile[] = [];
  for (const [name, { kind, oid }] of leavesOf(tree, path === "" ? "" : `${path}/`)) {
    if (kind !== "submodule") files.push({ path: name, kind, oid });
  }
  return files;
}

/** @throws {SnapshotUnsafeError} when something in the folder cannot be part of a module. */
export function checkFolder(snapshot: Snapshot, path: string): void {
  const tree = entryAt(snapshot.root, path);
  if (tree?.kind !== "tree" || !tree.flawed) return;
  const flaw = flawOf(tree, path === "" ? "" : `${path}/`);
  if (flaw?.flaw === "submodule") throw submoduleError(flaw.path);
  if (flaw === undefined) return;
  const what = "this path cannot be part of a module";
  throw new SnapshotUnsafeError(JSON.stringify(flaw.path), what, "rename the file and commit again");
}

const MAX_LINKS = 40;

/**
 * Where a path leads once every symbolic link on the way is followed, inside the snapshot; undefined when there is
 * nothing.
 *
 * @throws {SnapshotUnsafeError} when a link leaves the repository, goes in circles or enters a submodule.
 */
export async function resolvePath(snapshot: Snapshot, path: string): Promise<string | undefined> {
  let rest = path === "" ? [] : path.split("/");
  let at = "";
  for (let links = 0; rest.length > 0; ) {
    const [head, ...tail] = rest;
    const next = at === "" ? `${head}` : `${at}/${head}`;
    const entry = entryAt(snapshot.root, next);
    if (entry === undefined) return undefined;
    if (entry.kind === "submodule") throw submoduleError(next);
    if (entry.kind === "link") {
      links += 1;
      if (links > MAX_LINKS) {
        throw new SnapshotUnsafeError(path, "its symbolic links go in circles", "remove one of the links");
      }
      const target = await linkTarget(snapshot, { path: next, kind: "link", oid: entry.oid });
      rest = [...target.split("/").filter((part) => part !== ""), ...tail];
      at = "";
    } else {
      at = next;
      rest = tail;
    }
  }
  return at;
}

/** A link's target as a path of the repository. */
async function linkTarget(snapshot: Snapshot, link: SnapshotFile): Promise<string> {
  const content = (await snapshot.read([link])).get(link.oid)?.toString() ?? "";
  const target = posix.normalize(posix.join(posix.dirname(link.path), content));
  if (content.startsWith("/") || target === ".." || target.startsWith("../") || content.includes("\0")) {
    throw new SnapshotUnsafeError(
      link.path,
      `this symbolic link leaves the repository (${content.slice(0, 200)})`,
      "put a copy of the file in the repository",
    );
  }
  return target === "." ? "" : target.replace(/\/$/, "");
}

function submoduleError(path: string): SnapshotUnsafeError {
  return new SnapshotUnsafeError(
    path,
    "this folder is a Git submodule, whose files are not in the commit",
    "use ref: git::<url>//<dir>?ref=<commit>, or put the files in the repository",
  );
}
