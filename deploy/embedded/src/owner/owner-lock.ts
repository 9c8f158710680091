import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { OwnerFolderUnusableError } from "./owner-errors.ts";

/**
 * A lock that the operating system frees when its holder dies, however it dies: an exclusive transaction on an SQLite file.
 * Node has no `flock`, a pid file outlives a SIGKILL, and PGlite itself lets two processes in and loses commits.
 */
export interface OwnerLock {
  release(): void;
}

/** A lock's file must not be closed by the garbage collector while it is held. */
const held = new Set<DatabaseSync>();

/**
 * Takes the lock `name` in `dir`, or says at once that somebody has it (`undefined`).
 *
 * @throws {OwnerFolderUnusableError} when its file cannot be made or written.
 */
export function takeLock(dir: string, name: "owner" | "starting"): OwnerLock | undefined {
  const file = openLockFile(dir, name);
  try {
    file.exec("pragma busy_timeout = 0");
    file.exec("begin exclusive");
  } catch (error) {
    file.close();
    if (isBusy(error)) return undefined;
    throw new OwnerFolderUnusableError(dir, error);
  }
  held.add(file);
  return {
    release() {
      if (held.delete(file)) file.close();
    },
  };
}

function openLockFile(dir: string, name: string): DatabaseSync {
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    return new DatabaseSync(join(dir, `${name}.lock`));
  } catch (error) {
    throw new OwnerFolderUnusableError(dir, error);
  }
}

/** SQLITE_BUSY (https://www.sqlite.org/rescode.html#busy), extended codes included. */
function isBusy(error: unknown): boolean {
  return (
    error instanceof Error && "errcode" in error && typeof error.errcode === "number" && (error.errcode & 0xff) === 5
  );
}
