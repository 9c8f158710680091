import { type ChildProcess, spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, isAbsolute, join } from "node:path";
import { OpaMissingError, PolicyUnavailableError } from "./policy-errors.ts";

/** Where `opa` is looked for, in this order. */
export interface OpaPlaces {
  /** The path in the configuration; when it is set, nowhere else is looked. */
  readonly configured?: string | undefined;
  /** The value of PATH. */
  readonly path?: string | undefined;
  /** The folder of the tools cache that holds a pinned `opa`. */
  readonly toolsFolder?: string | undefined;
}

export interface OpaBinary {
  readonly path: string;
  /** `1.22.2` */
  readonly version: string;
}

const LEAST_MAJOR = 1;
const PROBE_TIMEOUT_MS = 20_000;
/** Answers are JSON of problems and test results; more than this is a runaway. */
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;

/**
 * Finds the first `opa` that is new enough.
 *
 * @throws {OpaMissingError} saying what was found at each place and why it does not do.
 */
export async function findOpa(places: OpaPlaces): Promise<OpaBinary> {
  const rejected: string[] = [];
  for (const path of listCandidates(places)) {
    if (!isExecutable(path)) {
      if (path === places.configured) rejected.push(`${path} is not an executable file`);
      continue;
    }
    const version = await askVersion(path);
    if (version !== undefined && Number.parseInt(version, 10) >= LEAST_MAJOR) return { path, version };
    rejected.push(`${path} ${version === undefined ? "does not tell its version" : `is ${version}, older than 1.0`}`);
  }
  throw new OpaMissingError(rejected.length > 0 ? rejected : ["not configured, not on PATH, not in the tools cache"]);
}

function listCandidates({ configured, path, toolsFolder }: OpaPlaces): string[] {
  if (configured !== undefined && configured !== "") return [configured];
  const folders = [...(path ?? "").split(delimiter), ...(toolsFolder === undefined ? [] : [toolsFolder])];
  return folders.filter(isAbsolute).map((folder) => join(folder, "opa"));
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

async function askVersion(path: string): Promise<string | undefined> {
  const { stdout } = await runOpa(path, ["version"], { timeoutMs: PROBE_TIMEOUT_MS }).catch(() => ({ stdout: "" }));
  return /^Version:\s*v?(\d+\.\d+\.\d+)/m.exec(stdout)?.[1];
}

export interface OpaRun {
  readonly cwd?: string;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

export interface OpaAnswer {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs one `opa` command to its end, with an environment of its own (policies and OPA see nothing of ours).
 *
 * @throws {PolicyUnavailableError} when it cannot be started, takes too long or prints too much.
 */
export function runOpa(binary: string, args: readonly string[], run: OpaRun): Promise<OpaAnswer> {
  return new Promise((resolve, reject) => {
    const child = spawn(binary, args, {
      env: {},
      stdio: ["ignore", "pipe", "pipe"],
      ...(run.cwd === undefined ? {} : { cwd: run.cwd }),
      ...(run.signal === undefined ? {} : { signal: run.signal }),
    });
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      reject(new PolicyUnavailableError(`opa ${args[0]} took longer than ${run.timeoutMs} ms`));
    }, run.timeoutMs);
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    let bytes = 0;
    const collect = (into: Buffer[]) => (chunk: Buffer) => {
      into.push(chunk);
      bytes += chunk.length;
      if (bytes <= MAX_OUTPUT_BYTES) return;
      child.kill("SIGKILL");
      reject(new PolicyUnavailableError(`opa ${args[0]} printed more than ${MAX_OUTPUT_BYTES} bytes`));
    };
    child.stdout.on("data", collect(stdout));
    child.stderr.on("data", collect(stderr));
    child.once("error", (cause) => {
      clearTimeout(timer);
      reject(new PolicyUnavailableError(`${binary} cannot be run`, { cause }));
    });
    child.once("close", (code, signal) => {
      clearTimeout(timer);
      if (code === null) return reject(new PolicyUnavailableError(`opa ${args[0]} was ended by ${signal}`));
      resolve({ exitCode: code, stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() });
    });
  });
}

/** A resident OPA: its end, what it said on the way, and the only way to end it. */
export interface OpaProcess {
  readonly pid: number;
  /** Resolves when the process is gone, with the last it said. */
  readonly exited: Promise<string>;
  kill(): void;
}

export interface OpaServerRun {
  readonly cwd: string;
  /** `GOMAXPROCS`, `GOGC` … and nothing of our own environment. */
  readonly env: Readonly<Record<string, string>>;
}

/**
 * A guard waits for our end of its standard input to close, which the kernel does even when we are killed by SIGKILL, and
 * takes OPA with it: `$$` stays the pid of the shell that `exec` turns into OPA. The script is constant and the command
 * comes as its positional parameters, so nothing is ever parsed by the shell.
 */
const GUARD = 'exec 3<&0; (read -r _ <&3; kill -9 $$) >/dev/null 2>&1 & exec "$@" 3<&- </dev/null';
const KEPT_OUTPUT = 4096;

/**
 * Starts a resident OPA in a process group of its own, so that a Ctrl-C meant for us does not end it while requests are
 * on their way; it ends when `kill` is called or when this process ends in any way.
 */
export function startOpa(binary: string, args: readonly string[], run: OpaServerRun): OpaProcess {
  const child = spawn("/bin/sh", ["-c", GUARD, "opa", binary, ...args], {
    cwd: run.cwd,
    env: { ...run.env, PATH: "/usr/bin:/bin" },
    stdio: ["pipe", "pipe", "pipe"],
    detached: true,
  });
  let said = "";
  // What OPA logs goes to stderr, why it does not start to stdout.
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-KEPT_OUTPUT);
    });
  }
  // A process that died closes its end first; writing is never tried, so the error says nothing new.
  child.stdin.on("error", () => undefined);
  let ended = false;
  const exited = new Promise<string>((resolve) => {
    child.once("error", (cause) => resolve(cause.message));
    child.once("close", (code, signal) => {
      endGroup(child);
      ended = true;
      resolve(`it ended with ${signal ?? `exit code ${code}`}${said === "" ? "" : `: ${said.trim()}`}`);
    });
  });
  child.unref();
  for (const stream of [child.stdin, child.stdout, child.stderr])
    if ("unref" in stream && typeof stream.unref === "function") stream.unref();
  const kill = (): void => {
    // After the end its group's number may belong to somebody else.
    if (ended) return;
    // Whoever waits for the end must not find that nothing keeps the process waiting.
    child.ref();
    endGroup(child);
  };
  return { pid: child.pid ?? -1, exited, kill };
}

/** OPA and its guard are one group; the guard must not outlive OPA and kill whoever gets its pid next. */
function endGroup(child: ChildProcess): void {
  if (child.pid !== undefined) {
    try {
      process.kill(-child.pid, "SIGKILL");
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
    }
  }
  child.stdin?.destroy();
}
