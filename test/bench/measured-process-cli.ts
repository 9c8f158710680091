import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

/** What a process cost, from start to end. Processor time holds its children that it waited for. */
export interface Measured {
  readonly code: number;
  readonly wall: number;
  /** Milliseconds of user and system time. */
  readonly cpu: number;
  /** Most resident memory, in megabytes. */
  readonly peak: number;
  readonly out: string;
  readonly err: string;
}

export interface MeasuredCommand {
  readonly file: string;
  readonly words: readonly string[];
  readonly folder: string;
  readonly environment: Readonly<Record<string, string>>;
}

/** Runs a program under GNU time, which knows of a process what Node cannot tell. */
export async function measureProcess({ file, words, folder, environment }: MeasuredCommand): Promise<Measured> {
  const notes = mkdtempSync(join(tmpdir(), "xcf-time-"));
  const figures = join(notes, "figures");
  try {
    const started = performance.now();
    const child = spawn("/usr/bin/time", ["-q", "-o", figures, "-f", "%U %S %M", file, ...words], {
      cwd: folder,
      env: { ...environment },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let out = "";
    let err = "";
    child.stdout.on("data", (bytes: Buffer) => (out += bytes.toString("utf8")));
    child.stderr.on("data", (bytes: Buffer) => (err += bytes.toString("utf8")));
    const code = await new Promise<number>((done, fail) => {
      child.once("error", fail);
      child.once("exit", (status) => done(status ?? 1));
    });
    const wall = performance.now() - started;
    const [user = 0, system = 0, kilobytes = 0] = readFileSync(figures, "utf8").trim().split(" ").map(Number);
    return { code, wall, cpu: (user + system) * 1000, peak: (kilobytes * 1024) / 1e6, out, err };
  } finally {
    rmSync(notes, { recursive: true, force: true });
  }
}

/** The launcher of this checkout. */
export const XCF = resolve(import.meta.dirname, "../../bin/xcf.js");

/** User and system time so far of a process and its living children, without what those have waited for: milliseconds. */
export function familyCpu(pid: number): number {
  const ticksOf = (entry: string): { readonly parent: number; readonly ticks: number } | undefined => {
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, "latin1");
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      return { parent: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12]) };
    } catch {
      return undefined; // It has ended since.
    }
  };
  const family = readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry))
    .flatMap((entry) => {
      const found = ticksOf(entry);
      return found !== undefined && (Number(entry) === pid || found.parent === pid) ? [found.ticks] : [];
    });
  // USER_HZ is 100 on every Linux that Node runs on.
  return family.reduce((total, ticks) => total + ticks * 10, 0);
}

/** Most resident memory of a running process so far, in megabytes. */
export function peakOf(pid: number): number {
  const [, kilobytes = "0"] = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return (Number(kilobytes) * 1024) / 1e6;
}

export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
