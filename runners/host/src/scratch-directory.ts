import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { sha256Hex } from "@xcloudflow/model/digest";
import { z } from "zod";
import { endGroup, groupsStartedFor, identifyProcess, isRunning } from "./process-table-cli.ts";

const identitySchema = z.object({ pid: z.number().int().positive(), started: z.string() });

/** What `attempt.json` says: whose scratch this is, and what has to be stopped when its worker is dead. */
const recordSchema = z.object({
  tenant: z.string(),
  unit: z.string(),
  task: z.string(),
  attempt: z.number().int().positive(),
  worker: identitySchema,
  engine: identitySchema.optional(),
});
export type ScratchRecord = z.infer<typeof recordSchema>;

export interface ScratchDirectory {
  readonly path: string;
  recordEngine(pid: number): void;
  remove(): void;
}

/** A scratch directory whose worker is dead, after its engine was stopped. */
export interface Leftover {
  readonly path: string;
  /** Absent when the worker died before it could write it. */
  readonly record: ScratchRecord | undefined;
  remove(): void;
}

/** Scratch directories that attempts of this very process use now; a process number alone could not tell. */
const inUse = new Set<string>();
/** Directories whose leftovers are being dealt with: whoever wants one waits for its turn. */
const turns = new Map<string, Promise<unknown>>();
const RECORD = "attempt.json";
/** Directories on their way out. What a crash leaves of them the next sweep removes: they have no living owner. */
const TRASH = "removed.";

/**
 * Where attempts work. A unit's path is the same in each attempt, `<root>/<hash of tenant and unit>.<slot>`, so that what
 * an engine writes down about its folder when it plans still holds when it applies. The slot is 0 but when two attempts
 * of a unit overlap on one machine.
 */
export interface ScratchRoot {
  /** Takes a directory for an attempt. Leftovers of the unit are stopped first and handed to `onLeftover`, one by one. */
  take(
    claim: Omit<ScratchRecord, "worker" | "engine">,
    onLeftover: (leftover: Leftover) => Promise<void>,
  ): Promise<ScratchDirectory>;
  /** Stops every engine whose worker is dead; directories for which `keep` is false go. */
  sweep(keep: (path: string) => Promise<boolean>): Promise<void>;
  /** Resolves when everything that was given back is gone from the disk. */
  drain(): Promise<void>;
}

export function createScratchRoot(root: string, graceMilliseconds: number): ScratchRoot {
  mkdirSync(root, { recursive: true, mode: 0o700 });
  const worker = identifyProcess(process.pid) ?? { pid: process.pid, started: "" };

  const removing = new Set<Promise<void>>();
  let removals = 0;

  function slotsOf(name: string): string[] {
    return readdirSync(root)
      .filter((entry) => entry.startsWith(`${name}.`))
      .map((entry) => join(root, entry));
  }

  return {
    async take(claim, onLeftover) {
      const name = sha256Hex(`${claim.tenant}\0${claim.unit}`).slice(0, 24);
      for (const path of slotsOf(name)) {
        await inTurn(path, async () => {
          if (isOwned(path) || !existsSync(path)) return;
          await stopEngine(path, graceMilliseconds);
          const remove = (): void => rmSync(path, { recursive: true, force: true });
          await onLeftover({ path, record: readRecord(path), remove });
        });
      }
      for (let slot = 0; ; slot += 1) {
        const path = join(root, `${name}.${slot}`);
        if (!makeFolder(path)) continue;
        inUse.add(path);
        let record: ScratchRecord = { ...claim, worker };
        writeRecord(path, record);
        return {
          path,
          recordEngine(pid) {
            // Where processes tell their environment they are found by that; writing a file again is not free.
            if (process.platform === "linux") return;
            record = { ...record, engine: identifyProcess(pid) ?? { pid, started: "" } };
            writeRecord(path, record);
          },
          remove() {
            // Away at once, so that the unit's next attempt gets the same path; gone when the disk has time.
            removals += 1;
            const trash = join(root, `${TRASH}${process.pid}.${removals}`);
            renameSync(path, trash);
            inUse.delete(path);
            const removal: Promise<void> = setImmediate()
              .then(() => removeFolder(trash))
              .finally(() => removing.delete(removal));
            removing.add(removal);
          },
        };
      }
    },

    async drain() {
      await Promise.all(removing);
    },

    async sweep(keep) {
      const paths = readdirSync(root).map((entry) => join(root, entry));
      await Promise.all(
        paths.map((path) =>
          inTurn(path, async () => {
            if (isOwned(path) || !existsSync(path)) return;
            await stopEngine(path, graceMilliseconds);
            if (!(await keep(path))) rmSync(path, { recursive: true, force: true });
          }),
        ),
      );
    },
  };
}

/** In one call: Node's asynchronous way asks for each entry by itself and costs five times the processor time. */
function removeFolder(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch {
    // What cannot be removed now is removed by the next sweep.
  }
}

/** Runs `work` when whoever had the directory before is done with it, well or not. */
async function inTurn(path: string, work: () => Promise<void>): Promise<void> {
  const before = turns.get(path) ?? Promise.resolve();
  const turn = before.catch(() => undefined).then(work);
  turns.set(path, turn);
  try {
    await turn;
  } finally {
    if (turns.get(path) === turn) turns.delete(path);
  }
}

/** Engine state that could not be stored stays in scratch: the next attempt of the unit takes it up. */
export function abandonScratch(scratch: ScratchDirectory): void {
  inUse.delete(scratch.path);
}

function isOwned(path: string): boolean {
  if (inUse.has(path)) return true;
  const owner = readRecord(path)?.worker;
  return owner !== undefined && owner.pid !== process.pid && isRunning(owner);
}

async function stopEngine(path: string, graceMilliseconds: number): Promise<void> {
  const groups = new Set(groupsStartedFor(path));
  const engine = readRecord(path)?.engine;
  if (engine !== undefined && isRunning(engine)) groups.add(engine.pid);
  await Promise.all([...groups].map((group) => endGroup(group, graceMilliseconds)));
}

function makeFolder(path: string): boolean {
  try {
    mkdirSync(path, { mode: 0o700 });
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  }
}

/** In place: a record torn by a crash counts as none, and the engine is found by its environment all the same. */
function writeRecord(path: string, record: ScratchRecord): void {
  writeFileSync(join(path, RECORD), JSON.stringify(record), { mode: 0o600 });
}

function readRecord(path: string): ScratchRecord | undefined {
  try {
    return recordSchema.parse(JSON.parse(readFileSync(join(path, RECORD), "utf8")));
  } catch {
    return undefined; // Not written yet, or cut off by the crash: then nothing is known but the directory itself.
  }
}
