import { statfs } from "node:fs/promises";
import type { Clock } from "@xcloudflow/chassis/clock";
import { DatabaseUnavailableError } from "./database-errors.ts";

/**
 * PostgreSQL panics when its log cannot grow, and PGlite's WebAssembly then never returns: the process hangs. So it is not
 * let near that point. A change may need its size twice (table and log), and the largest is a document of 64 MiB.
 */
const ROOM_FOR_A_CHANGE = 128 * 1024 * 1024;

/** A checkpoint after a crash may begin a log segment of 16 MiB, and one ahead. */
const ROOM_TO_OPEN = 48 * 1024 * 1024;

/** The error for making changes under `directory` now, if there is no room for one. */
export async function explainLackOfSpace(
  directory: string,
  purpose: "change" | "open",
): Promise<DatabaseUnavailableError | undefined> {
  return lackOfSpace(directory, await freeSpace(directory), purpose === "change" ? ROOM_FOR_A_CHANGE : ROOM_TO_OPEN);
}

/** With so much room, more than can be written before the next look, there is no need to look before each change. */
const AMPLE_ROOM = 1024 * 1024 * 1024;
const LOOK_MS = 500;

/** Answers for each change whether there is room for it. Looking costs as much as a statement, so ample room is remembered. */
export function createSpaceGuard(directory: string, clock: Clock): () => Promise<DatabaseUnavailableError | undefined> {
  let ampleAt = Number.NEGATIVE_INFINITY;
  return async () => {
    const now = clock.now().getTime();
    if (Math.abs(now - ampleAt) < LOOK_MS) return undefined;
    const free = await freeSpace(directory);
    if (free >= AMPLE_ROOM) ampleAt = now;
    return lackOfSpace(directory, free, ROOM_FOR_A_CHANGE);
  };
}

async function freeSpace(directory: string): Promise<number> {
  const { bavail, bsize } = await statfs(directory);
  return bavail * bsize;
}

function lackOfSpace(directory: string, free: number, needed: number): DatabaseUnavailableError | undefined {
  if (free >= needed) return undefined;
  return new DatabaseUnavailableError("full", {
    where: directory,
    what: `the disk is full: ${megabytes(free)} MB are free, the database needs ${megabytes(needed)}`,
    hint: "free some space, then try again; what was committed is kept",
    outcome: "rolledBack",
  });
}

function megabytes(bytes: number): number {
  return Math.floor(bytes / 1024 / 1024);
}
