import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { z } from "zod";

/** One process as Linux's /proc shows it. */
interface Listed {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  readonly state: string;
  readonly words: readonly string[];
}

/** An engine's process, or one that an engine started. */
export interface EngineProcess {
  readonly pid: number;
  readonly group: number;
  /** Of which unit, as the attempt's own record says; undefined while that is not there. */
  readonly unit: string | undefined;
  /** Engine's verb: `apply`, `plan`, `init` …; empty for what it started. */
  readonly verb: string;
}

/** The processes of one control plane, all of them stopped where they were. */
export interface FrozenOwner {
  readonly pid: number;
  /** Empty when the control plane stood between two engines. */
  readonly engines: readonly EngineProcess[];
  /** Lets everything go on. */
  thaw(): void;
  /** SIGKILL to the owner alone: engines go on without it. */
  killParent(): Promise<void>;
  /** SIGKILL to the owner, everything it started and every engine. */
  killAll(): Promise<void>;
}

const recordSchema = z.looseObject({ unit: z.string() });

/** Whether this machine shows processes as these functions need them. */
export const CAN_LIST_PROCESSES = process.platform === "linux";

/** The process that owns the folder's `.xcf`, whether it answers already or not. */
export function findOwner(folder: string): number | undefined {
  return listProcesses().find(({ words, state }) => isOwner(words, folder) && state !== "Z")?.pid;
}

function isOwner(words: readonly string[], folder: string): boolean {
  return words.at(-2) === "owner" && words.at(-1) === join(folder, ".xcf");
}

/** Processes that belong to attempts of this control plane, living or not. */
export function findEngines(folder: string): EngineProcess[] {
  return findEnginesBelow(join(folder, ".xcf", "scratch"));
}

/** As `findEngines`, for a worker that keeps its attempts below `scratchRoot`. */
export function findEnginesBelow(scratchRoot: string): EngineProcess[] {
  const mark = `XCF_SCRATCH=${scratchRoot}/`;
  return listProcesses().flatMap(({ pid, group, state, words }) => {
    if (state === "Z") return [];
    const scratch = readText(`/proc/${pid}/environ`)
      .split("\0")
      .find((entry) => entry.startsWith(mark))
      ?.slice("XCF_SCRATCH=".length);
    if (scratch === undefined) return [];
    const verb = /(^|\/)(terraform|tofu)$/.test(words[0] ?? "") ? verbOf(words) : "";
    return [{ pid, group, unit: unitOf(scratch), verb }];
  });
}

function verbOf(words: readonly string[]): string {
  return words.slice(1).find((word) => !word.startsWith("-")) ?? "";
}

function unitOf(scratch: string): string | undefined {
  try {
    return recordSchema.parse(JSON.parse(readFileSync(join(scratch, "attempt.json"), "utf8"))).unit;
  } catch {
    return undefined;
  }
}

/** Stops the owner and whatever starts engines for it, so that what runs now stays what runs. */
export async function freezeOwner(folder: string): Promise<FrozenOwner | undefined> {
  const pid = findOwner(folder);
  return pid === undefined ? undefined : freezeWorker(pid, join(folder, ".xcf", "scratch"));
}

/** As `freezeOwner`, for a process that runs attempts below `scratchRoot`. */
export async function freezeWorker(pid: number, scratchRoot: string): Promise<FrozenOwner | undefined> {
  if (!signal(pid, "SIGSTOP")) return undefined;
  await stopped(pid);
  const spawners = childrenOf(pid).filter(({ words }) => words.some((word) => word.includes("serveSpawns")));
  for (const spawner of spawners) {
    signal(spawner.pid, "SIGSTOP");
    await stopped(spawner.pid);
  }
  const thaw = (): void => {
    for (const spawner of spawners) signal(spawner.pid, "SIGCONT");
    signal(pid, "SIGCONT");
  };
  const started = spawners.flatMap((spawner) => childrenOf(spawner.pid)).filter(({ state }) => state !== "Z");
  const known = findEnginesBelow(scratchRoot);
  const unlisted = started
    .filter((child) => !known.some((engine) => engine.pid === child.pid))
    .map(({ pid: child, group }): EngineProcess => ({ pid: child, group, unit: undefined, verb: "" }));
  const engines = [...known, ...unlisted];
  return {
    pid,
    engines,
    thaw,
    async killParent() {
      signal(pid, "SIGKILL");
      for (const spawner of spawners) signal(spawner.pid, "SIGCONT");
      await ended(pid);
    },
    async killAll() {
      for (const group of new Set([pid, ...spawners.map((spawner) => spawner.pid), ...engines.map((one) => one.group)]))
        if (!signal(-group, "SIGKILL")) signal(group, "SIGKILL");
      await Promise.all([pid, ...engines.map((engine) => engine.pid)].map(ended));
    },
  };
}

/** A process's use of the machine so far: CPU of it and of children it has waited for in seconds, memory in megabytes. */
export function readUsage(pid: number): {
  readonly cpu: number;
  readonly childCpu: number;
  readonly peakMegabytes: number;
} {
  const fields = statFields(readText(`/proc/${pid}/stat`));
  const seconds = (index: number): number => Number(fields[index] ?? 0) / 100;
  const peak = /VmHWM:\s+(\d+) kB/.exec(readText(`/proc/${pid}/status`))?.[1];
  return {
    cpu: seconds(11) + seconds(12),
    childCpu: seconds(13) + seconds(14),
    peakMegabytes: Number(peak ?? 0) / 1024,
  };
}

function listProcesses(): Listed[] {
  return readdirSync("/proc").flatMap((entry) => {
    if (!/^\d+$/.test(entry)) return [];
    const [state = "", parent = "", group = ""] = statFields(readText(`/proc/${entry}/stat`));
    const words = readText(`/proc/${entry}/cmdline`).split("\0").slice(0, -1);
    return state === "" ? [] : [{ pid: Number(entry), parent: Number(parent), group: Number(group), state, words }];
  });
}

function childrenOf(pid: number): Listed[] {
  return listProcesses().filter(({ parent }) => parent === pid);
}

/** From field 3 (state) on; proc(5). The name in field 2 may hold spaces and parentheses. */
function statFields(stat: string): string[] {
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}

/** Empty when the process has gone or is somebody else's. */
function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

async function stopped(pid: number): Promise<void> {
  for (;;) {
    const [state] = statFields(readText(`/proc/${pid}/stat`));
    if (state === undefined || state === "" || "TtZX".includes(state)) return;
    await wait(1);
  }
}

async function ended(pid: number): Promise<void> {
  for (;;) {
    const [state] = statFields(readText(`/proc/${pid}/stat`));
    if (state === undefined || state === "" || state === "Z") return;
    await wait(2);
  }
}

function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}
