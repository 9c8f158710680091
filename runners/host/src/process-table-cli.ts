import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";

/** A process that cannot be mistaken for a later one with the same number. */
export interface ProcessIdentity {
  readonly pid: number;
  /** When it started, in whatever unit the system counts; only ever compared. */
  readonly started: string;
}

/** The process as it is now; undefined when there is none, or only one that has ended and waits to be collected. */
export function identifyProcess(pid: number): ProcessIdentity | undefined {
  const started = process.platform === "linux" ? startedLinux(pid) : startedElsewhere(pid);
  return started === undefined ? undefined : { pid, started };
}

export function isRunning({ pid, started }: ProcessIdentity): boolean {
  return identifyProcess(pid)?.started === started;
}

/** Field 22 of /proc/PID/stat (proc(5)); the name in field 2 may hold spaces and parentheses. */
function startedLinux(pid: number): string | undefined {
  const fields = statFields(pid);
  return fields === undefined || fields[0] === "Z" || fields[0] === "X" ? undefined : fields[19];
}

function statFields(pid: number): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  } catch {
    return undefined;
  }
}

function startedElsewhere(pid: number): string | undefined {
  try {
    const text = execFileSync("ps", ["-o", "stat=,lstart=", "-p", String(pid)], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
    return text === "" || text.startsWith("Z") ? undefined : text.replace(/^\S+\s+/, "");
  } catch {
    return undefined;
  }
}

/** Name of the variable that marks every process of an attempt, and what those inherit it. */
export const SCRATCH_VARIABLE = "XCF_SCRATCH";

/** Process groups with a process that was started for this scratch directory (Linux; elsewhere none is found). */
export function groupsStartedFor(scratch: string): number[] {
  if (process.platform !== "linux") return [];
  const mark = `${SCRATCH_VARIABLE}=${scratch}`;
  const groups = new Set<number>();
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry) || !environmentOf(entry).includes(mark)) continue;
    const group = Number(statFields(Number(entry))?.[2]);
    if (group > 1) groups.add(group);
  }
  return [...groups];
}

/** Processes with the user's rights (Linux): by what the kernel says of each, since an owner of /proc/PID can be hidden. */
export function processesOfUser(uid: number): number[] {
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((pid) => {
      try {
        const status = readFileSync(`/proc/${pid}/status`, "latin1");
        const [, state] = /^State:\s+(\S)/m.exec(status) ?? [];
        const [, ids = ""] = /^Uid:\s+(.+)$/m.exec(status) ?? [];
        return state !== "Z" && state !== "X" && ids.split(/\s+/).includes(String(uid));
      } catch {
        return false; // Ended meanwhile.
      }
    });
}

/** Empty for processes that ended meanwhile or belong to somebody else. */
function environmentOf(pid: string): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
  } catch {
    return [];
  }
}

/** Sends a signal to one process; false when it is gone. */
export function signalProcess(pid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch {
    return false;
  }
}

/** Sends a signal to a whole process group; false when the group is gone. */
export function signalGroup(group: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-group, signal);
    return true;
  } catch {
    return false;
  }
}

/**
 * Ends a process group nobody owns any more: asks its leader to stop, so that an engine can still write down what it
 * knows, and kills what is left after `graceMilliseconds`. Answers when the group is gone.
 */
export async function endGroup(group: number, graceMilliseconds: number): Promise<void> {
  if (!signalProcess(group, "SIGINT")) signalGroup(group, "SIGTERM");
  // Not our child: nothing signals its end, it can only be looked at.
  for (let waited = 0; waited < graceMilliseconds && isGroupAlive(group); waited += 25) await wait(25);
  signalGroup(group, "SIGKILL");
  while (isGroupAlive(group)) await wait(10);
}

function isGroupAlive(group: number): boolean {
  if (!signalGroup(group, 0)) return false;
  if (process.platform !== "linux") return true;
  // Ended processes whose parent has not collected them still count for kill(2); they do nothing any more.
  return readdirSync("/proc").some((entry) => {
    if (!/^\d+$/.test(entry)) return false;
    const fields = statFields(Number(entry));
    return fields !== undefined && Number(fields[2]) === group && fields[0] !== "Z" && fields[0] !== "X";
  });
}
