import { posix } from "node:path";
import { SnapshotUnsafeError } from "./git-errors.ts";

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
  readonly identity: string;
  /** Some file below is a symbolic link, so that the identity does not say everything. */
  readonly linked: boolean;
  /** Everything below, in the order of paths. */
  readonly files: readonly SnapshotFile[];
}

/** The files of a commit, or of a work tree at one moment. Nothing outside of it can be reached through it. */
export interface Snapshot {
  /** The commit, or the one that the work tree is based on. */
  readonly commit: string;
  readonly dirty: boolean;
  /** Equal identities, equal contents. */
  readonly identity: string;
  /** Folders that are Git submodules: their contents are not part of the snapshot. */
  readonly submodules: readonly string[];
  /** Paths that nothing may be unpacked to (`..`, `.git`, control characters, not UTF-8); they are not in it either. */
  readonly unsafePaths: readonly string[];
  /** In git's order. */
  readonly files: readonly SnapshotFile[];
  file(path: string): SnapshotFile | undefined;
  /** `""` is the root. Undefined when there is no such folder. */
  folder(path: string): SnapshotFolder | undefined;
  /** Contents by object id. */
  read(files: readonly SnapshotFile[]): Promise<ReadonlyMap<string, Buffer>>;
}

export interface SnapshotEntry {
  readonly path: string;
  readonly mode: string;
  readonly oid: string;
}

export interface SnapshotSource {
  readonly commit: string;
  readonly dirty: boolean;
  readonly identity: string;
  /** In git's order: a folder's entry (mode 040000) comes right before what is in it. */
  readonly entries: readonly SnapshotEntry[];
  readonly read: Snapshot["read"];
}

const KINDS: Readonly<Record<string, SnapshotFile["kind"]>> = {
  "100644": "file",
  "100664": "file",
  "100755": "executable",
  "120000": "link",
};
const FOLDER = "040000";
const SUBMODULE = "160000";
const UNSAFE_PATH = /(?:^|\/)(?:\.{0,2}|\.git)(?:\/|$)|[\\\p{Cc}\uFFFD]/iu;

interface FolderRange {
  readonly identity: string;
  readonly start: number;
  end: number;
  linked: boolean;
}

export function buildSnapshot(source: SnapshotSource): Snapshot {
  const files: SnapshotFile[] = [];
  const byPath = new Map<string, SnapshotFile>();
  const folders = new Map<string, FolderRange>([["", { identity: source.identity, start: 0, end: 0, linked: false }]]);
  const root = folders.get("");
  const submodules: string[] = [];
  const unsafePaths: string[] = [];
  const open: { readonly prefix: string; readonly range: FolderRange }[] = [];
  for (const { path, mode, oid } of source.entries) {
    if (UNSAFE_PATH.test(path)) {
      unsafePaths.push(path);
      continue;
    }
    for (let last = open.at(-1); last !== undefined && !path.startsWith(last.prefix); last = open.at(-1)) {
      last.range.end = files.length;
      open.pop();
    }
    const kind = KINDS[mode];
    if (mode === FOLDER) {
      const range = { identity: oid, start: files.length, end: files.length, linked: false };
      folders.set(path, range);
      open.push({ prefix: `${path}/`, range });
    } else if (mode === SUBMODULE) {
      submodules.push(path);
    } else if (kind !== undefined) {
      const file = { path, kind, oid };
      files.push(file);
      byPath.set(path, file);
      if (kind === "link") for (const { range } of open) range.linked = true;
      if (kind === "link" && root !== undefined) root.linked = true;
    }
  }
  for (const { range } of open) range.end = files.length;
  if (root !== undefined) root.end = files.length;
  return {
    commit: source.commit,
    dirty: source.dirty,
    identity: source.identity,
    submodules,
    unsafePaths,
    files,
    file: (path) => byPath.get(path),
    folder(path) {
      const range = folders.get(path);
      if (range === undefined) return undefined;
      const { identity, linked, start, end } = range;
      let listed: readonly SnapshotFile[] | undefined;
      return {
        path,
        identity,
        linked,
        get files() {
          listed ??= files.slice(start, end);
          return listed;
        },
      };
    },
    read: source.read,
  };
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
    const file = snapshot.file(next);
    if (file?.kind === "link") {
      links += 1;
      if (links > MAX_LINKS)
        throw new SnapshotUnsafeError(path, "its symbolic links go in circles", "remove one of the links");
      rest = [...(await linkTarget(snapshot, file)).split("/").filter((part) => part !== ""), ...tail];
      at = "";
    } else {
      if (snapshot.submodules.includes(next)) throw submoduleError(next);
      if (file === undefined && snapshot.folder(next) === undefined) return undefined;
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

export function unsafePathError(path: string): SnapshotUnsafeError {
  return new SnapshotUnsafeError(
    JSON.stringify(path),
    "this path cannot be part of a module",
    "rename the file and commit again",
  );
}

export function submoduleError(path: string): SnapshotUnsafeError {
  return new SnapshotUnsafeError(
    path,
    "this folder is a Git submodule, whose files are not in the commit",
    "use ref: git::<url>//<dir>?ref=<commit>, or put the files in the repository",
  );
}
