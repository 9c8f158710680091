import { chmodSync, chownSync, lstatSync, readdirSync, rmSync, type Stats } from "node:fs";
import { join } from "node:path";

/** The host's own, at the top of a scratch directory: an engine that could replace them could steer the worker. */
const HOST_FILES = new Set(["attempt.json", "engine.stdout", "engine.stderr"]);

/**
 * Lets a group have what the worker has written into an attempt's scratch. Folders are sticky: the engine may add to them
 * and change files in place, but can neither replace nor remove what the worker made, and so never decides what the
 * worker opens by a name. Only while no process of the group runs.
 */
export function handOver(scratch: string, group: number): void {
  const worker = process.getuid?.() ?? 0;
  const give = (folder: string): void => {
    chownSync(folder, worker, group);
    chmodSync(folder, 0o1770);
    for (const name of readdirSync(folder)) {
      const path = join(folder, name);
      const entry = lstatSync(path);
      if (entry.uid !== worker || (folder === scratch && HOST_FILES.has(name))) continue;
      if (entry.isDirectory()) give(path);
      // With a second name it may be any file of the worker's that the engine has linked to.
      else if (entry.isFile() && entry.nlink === 1) {
        chownSync(path, worker, group);
        chmodSync(path, (entry.mode & 0o100) === 0 ? 0o660 : 0o770);
      }
    }
  };
  give(scratch);
}

/**
 * Removes what an engine may have laid out for whoever reads or writes here next as the worker: its symbolic links, second
 * names of files, and what is neither file nor folder. Only while no process of the engine runs.
 */
export function removeTraps(scratch: string, engine: number): void {
  const look = (folder: string): void => {
    for (const name of readdirSync(folder)) {
      const path = join(folder, name);
      const entry = lstatSync(path);
      if (entry.isDirectory()) look(path);
      else if (isTrap(entry, engine)) rmSync(path, { force: true });
    }
  };
  look(scratch);
}

function isTrap(entry: Stats, engine: number): boolean {
  if (entry.isFile()) return entry.nlink > 1;
  return entry.uid === engine;
}

/** Nobody but the worker gets in any more, whatever the modes below. */
export function takeBack(scratch: string): void {
  chownSync(scratch, process.getuid?.() ?? 0, process.getgid?.() ?? 0);
  chmodSync(scratch, 0o700);
}
