import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { ModuleArchiveInvalidError, readArchive } from "@xcloudflow/model/tar-archive";

/** Writes an archive's entries below `folder`, which exists and is empty. Files get mode 0600, or 0700 if executable. */
export function unpackArchive(tar: Uint8Array, folder: string): void {
  const made = new Set([folder]);
  const links = new Set<string>();
  const makeFolder = (path: string): void => {
    if (made.has(path)) return;
    mkdirSync(path, { recursive: true, mode: 0o700 });
    made.add(path);
  };
  for (const entry of readArchive(tar)) {
    const inner = innerPath(entry.path);
    if (inner === ".") continue;
    const path = join(folder, inner);
    // A link unpacked before could lead anything below it out of the folder.
    for (let above = posix.dirname(inner); above !== "."; above = posix.dirname(above)) {
      if (links.has(above)) throw new ModuleArchiveInvalidError(`${entry.path} lies below a symbolic link`);
    }
    if (entry.type === "directory") {
      makeFolder(path);
      continue;
    }
    makeFolder(dirname(path));
    if (entry.type === "symlink") {
      checkTarget(inner, entry.target);
      symlinkSync(entry.target, path);
      links.add(inner);
    } else {
      writeFileSync(path, entry.data, { mode: entry.executable ? 0o700 : 0o600, flag: "wx" });
    }
  }
}

function innerPath(path: string): string {
  const inner = posix.normalize(path).replace(/\/$/, "");
  if (
    path.includes("\0") ||
    path.includes("\\") ||
    posix.isAbsolute(inner) ||
    inner === ".." ||
    inner.startsWith("../")
  ) {
    throw new ModuleArchiveInvalidError(`the path ${JSON.stringify(path)} leaves the folder`);
  }
  return inner;
}

function checkTarget(inner: string, target: string): void {
  const reached = posix.normalize(posix.join(posix.dirname(inner), target));
  if (target === "" || posix.isAbsolute(target) || reached === ".." || reached.startsWith("../")) {
    throw new ModuleArchiveInvalidError(`the symbolic link ${inner} leads out of the folder`);
  }
}
