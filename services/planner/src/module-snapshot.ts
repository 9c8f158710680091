import { createHash } from "node:crypto";
import { posix } from "node:path";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { ModuleArchiveInvalidError, readArchive } from "@xcloudflow/model/tar-archive";
import { type FileEntry, treeOfFiles } from "./file-tree.ts";
import { buildSnapshot, type Snapshot } from "./snapshot.ts";

const unzip = promisify(gunzip);

/** What an archive may be when it is unpacked: a few KiB can hold gigabytes. */
export const ARCHIVE_LIMITS = { bytes: 256 * 1024 * 1024, entries: 50_000, depth: 64 } as const;

export interface ModuleSnapshot {
  readonly snapshot: Snapshot;
  /** Memory that it keeps. */
  readonly bytes: number;
}

/**
 * The files of a gzipped tar as a snapshot; nothing is written to disk. Symbolic links are kept, and followed like those
 * of a repository: inside the archive only.
 *
 * @throws {ModuleArchiveInvalidError} for what is damaged, too large, or would leave the folder it is unpacked into.
 */
export async function snapshotArchive(archive: Buffer, version: string): Promise<ModuleSnapshot> {
  const contents = new Map<string, Buffer>();
  const files = new Map<string, FileEntry>();
  let entries = 0;
  for (const { path, type, executable, target, data } of readArchive(await unpack(archive))) {
    entries += 1;
    if (entries > ARCHIVE_LIMITS.entries)
      throw new ModuleArchiveInvalidError(`it has more than ${ARCHIVE_LIMITS.entries} entries`);
    const inner = innerPath(path);
    if (type === "directory" || inner === ".") continue;
    const content = type === "symlink" ? Buffer.from(target) : Buffer.from(data);
    const oid = createHash("sha256").update(content).digest("hex");
    contents.set(oid, content);
    files.set(inner, { path: inner, kind: type === "symlink" ? "link" : executable ? "executable" : "file", oid });
  }
  refuseFilesAsFolders(files);
  const snapshot = buildSnapshot({
    commit: version,
    dirty: false,
    root: treeOfFiles([...files.values()], "archive"),
    read: async (wanted) => new Map(wanted.map(({ oid }) => [oid, contents.get(oid) ?? Buffer.alloc(0)])),
  });
  return { snapshot, bytes: [...contents.values()].reduce((sum, { length }) => sum + length, 0) };
}

async function unpack(archive: Buffer): Promise<Buffer> {
  try {
    return await unzip(archive, { maxOutputLength: ARCHIVE_LIMITS.bytes });
  } catch (cause) {
    const large = cause instanceof Error && "code" in cause && cause.code === "ERR_BUFFER_TOO_LARGE";
    const what = large
      ? `it unpacks to more than ${ARCHIVE_LIMITS.bytes / 1024 / 1024} MiB`
      : "it is no gzip, or damaged";
    throw Object.assign(new ModuleArchiveInvalidError(what), { cause });
  }
}

function innerPath(path: string): string {
  const inner = posix.normalize(path).replace(/\/$/, "");
  // Not only where it ends: a path that goes up and comes back is nothing that a module needs.
  if (path.split("/").includes("..") || posix.isAbsolute(path) || /[\\\p{Cc}]/u.test(path))
    throw new ModuleArchiveInvalidError(`the path ${JSON.stringify(path.slice(0, 200))} leaves the folder`);
  if (inner.split("/").length > ARCHIVE_LIMITS.depth)
    throw new ModuleArchiveInvalidError(`folders are more than ${ARCHIVE_LIMITS.depth} deep`);
  return inner;
}

/** A file below a symbolic link, or below another file: whoever unpacked that would write somewhere else. */
function refuseFilesAsFolders(files: ReadonlyMap<string, FileEntry>): void {
  for (const path of files.keys())
    for (let above = posix.dirname(path); above !== "."; above = posix.dirname(above))
      if (files.has(above)) throw new ModuleArchiveInvalidError(`${above} is a file, and ${path} lies below it`);
}
