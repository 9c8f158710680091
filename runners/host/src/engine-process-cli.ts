import { closeSync, fstatSync, openSync, readFileSync, readSync, statfsSync, statSync } from "node:fs";
import { join } from "node:path";
import { StringDecoder } from "node:string_decoder";
import { EngineFailedError, EngineMissingError } from "./engine-errors.ts";
import { type EngineSpawner, ProgramUnstartableError, type SpawnedEngine } from "./engine-spawner-cli.ts";
import type { ConfinedAttempt, EngineActor } from "./isolation.ts";
import { signalGroup, signalProcess } from "./process-table-cli.ts";

export interface EngineCommand {
  /** Absolute path or a name on the PATH; never a shell. */
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd: string;
  /** Added to the clean base environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Called for each line while the process runs and for the rest at its end. */
  onLine?(line: string, stream: "stdout" | "stderr"): void;
  /** Whose rights it gets where engines are kept apart. Default `engine`. */
  readonly actor?: EngineActor;
  /** Most bytes of output before the process is stopped. Default 1 GiB. */
  readonly outputLimit?: number;
}

export interface EngineExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Everything it wrote to standard output. */
  stdout(): string;
  /** The last 64 KiB it wrote to standard error. */
  stderr(): string;
  /** The disk that takes its output has no room: why it may have failed, and why it may have said nothing. */
  diskFull(): boolean;
}

/** How an engine is stopped: asked once, asked again, then killed with everything it started. */
export interface StopTimes {
  readonly afterInterrupt: number;
  readonly afterTerminate: number;
}

export interface EngineProcessOptions {
  readonly spawner: EngineSpawner;
  /** Folder for the output files. */
  readonly outputFolder: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  /** The abort reason means that the group must die at once. */
  readonly mustKill: (reason: unknown) => boolean;
  readonly stopTimes: (reason: unknown) => StopTimes;
  /** Keeps the process apart from the worker and from others. */
  readonly confined?: ConfinedAttempt;
  /** Told before anything the process does can be lost track of. */
  readonly onStart: (pid: number) => void;
}

const FOLLOW_MS = 150;
const DEFAULT_LIMIT = 2 ** 30;
const STDERR_TAIL = 65_536;

/**
 * Runs one engine process in a process group of its own. Its output goes to files in scratch and not through pipes: an
 * engine that outlives a killed worker must not die of a broken pipe before it has written down what it did.
 *
 * @throws {EngineMissingError} when the program cannot be started.
 */
export async function runEngineProcess(command: EngineCommand, options: EngineProcessOptions): Promise<EngineExit> {
  const { signal, outputFolder } = options;
  signal.throwIfAborted();
  // One pair of files for all processes of an attempt, which run one after the other: making files is what costs.
  const paths = { stdout: join(outputFolder, "engine.stdout"), stderr: join(outputFolder, "engine.stderr") };
  const start = { stdout: sizeOf(paths.stdout), stderr: sizeOf(paths.stderr) };
  const engine = await startEngine(command, options, paths);
  const exit = await superviseEngine(engine, command, options, { paths, start }).finally(() =>
    options.confined?.settle(),
  );
  return {
    ...exit,
    stdout: () => readFrom(paths.stdout, start.stdout),
    stderr: () => readFrom(paths.stderr, Math.max(start.stderr, sizeOf(paths.stderr) - STDERR_TAIL)),
    diskFull: () => isFull(outputFolder),
  };
}

interface Output {
  readonly paths: OutputPaths;
  /** Where in the files this process began to write. */
  readonly start: { readonly stdout: number; readonly stderr: number };
}

interface OutputPaths {
  readonly stdout: string;
  readonly stderr: string;
}

async function startEngine(
  command: EngineCommand,
  options: EngineProcessOptions,
  paths: OutputPaths,
): Promise<SpawnedEngine> {
  const { file, args, cwd, actor = "engine" } = command;
  const env = { ...options.environment, ...options.confined?.environment(actor), ...command.env };
  try {
    const started = options.confined?.wrap(file, args, actor) ?? { file, args };
    return await options.spawner.start({ ...started, cwd, env, ...paths });
  } catch (error) {
    if (!(error instanceof ProgramUnstartableError)) throw error;
    if (isFull(options.outputFolder)) throw new DiskFullError();
    throw new EngineMissingError(file, `it cannot be started (${error.code}); \`xcf doctor\` says how to get it`);
  }
}

/** Follows a running engine's output, and stops it when the attempt ends or the output outgrows its limit. */
async function superviseEngine(
  { pid, ended }: SpawnedEngine,
  command: EngineCommand,
  options: EngineProcessOptions,
  { paths, start }: Output,
): Promise<Pick<EngineExit, "code" | "signal">> {
  options.onStart(pid);
  const out = followLines(paths.stdout, start.stdout, (line) => command.onLine?.(line, "stdout"));
  const err = followLines(paths.stderr, start.stderr, (line) => command.onLine?.(line, "stderr"));
  const limit = command.outputLimit ?? DEFAULT_LIMIT;
  let overflow = false;
  const follow = setInterval(() => {
    if (command.onLine !== undefined) {
      out.read();
      err.read();
    }
    if (!overflow && sizeOf(paths.stdout) + sizeOf(paths.stderr) > limit) {
      overflow = true;
      stopGently();
    }
  }, FOLLOW_MS);

  const timers: NodeJS.Timeout[] = [];
  const kill = (): void => {
    signalGroup(pid, "SIGKILL");
    options.confined?.kill();
  };
  function stopGently(): void {
    if (timers.length > 0) return;
    const { afterInterrupt, afterTerminate } = options.stopTimes(options.signal.reason);
    signalProcess(pid, "SIGINT");
    timers.push(setTimeout(() => signalProcess(pid, "SIGTERM"), afterInterrupt));
    timers.push(setTimeout(kill, afterInterrupt + afterTerminate));
  }
  const stop = (): void => (options.mustKill(options.signal.reason) ? kill() : stopGently());
  options.signal.addEventListener("abort", stop);
  if (options.signal.aborted) stop();
  try {
    const { code, signal } = await ended;
    // What the engine started must not go on once the engine was stopped.
    if (options.signal.aborted || overflow) kill();
    if (overflow) throw new EngineOutputTooLongError(limit);
    return { code, signal };
  } catch (error) {
    kill();
    throw error;
  } finally {
    clearInterval(follow);
    for (const timer of timers) clearTimeout(timer);
    options.signal.removeEventListener("abort", stop);
    if (command.onLine !== undefined) {
      out.end();
      err.end();
    }
    out.close();
    err.close();
  }
}

/** Thrown when an engine cannot be started for want of room for its output. */
export class DiskFullError extends EngineFailedError {
  constructor() {
    super("DISK_FULL", "exhausted", {
      what: "no space is left on the worker's disk",
      hint: "free space below the worker's scratch or cache folder, then retry the run",
      effects: "none",
    });
  }
}

/** Thrown when an engine wrote more than fits; it was stopped. */
export class EngineOutputTooLongError extends EngineFailedError {
  constructor(limit: number) {
    super("ENGINE_OUTPUT_TOO_LONG", "exhausted", {
      what: `the engine wrote more than ${limit} bytes of output and was stopped`,
      hint: "look in the unit's log for what repeats",
      effects: "possible",
    });
  }
}

const CHUNK = 65_536;
const LONGEST_LINE = 2 ** 20;

interface LineFollower {
  read(): void;
  /** Reads the rest, a last line without its line feed included. */
  end(): void;
  close(): void;
}

/** Reads what was appended to a file since last time and hands it out line by line; a line of over 1 MiB is cut up. */
function followLines(path: string, start: number, onLine: (line: string) => void): LineFollower {
  const decoder = new StringDecoder("utf8");
  // At once, since what runs may give the file another name.
  const file = openSync(path, "r");
  let position = start;
  let rest = "";
  const read = (): void => {
    for (;;) {
      const size = fstatSync(file).size - position;
      if (size <= 0) return;
      const buffer = Buffer.allocUnsafe(Math.min(CHUNK, size));
      const length = readSync(file, buffer, 0, buffer.length, position);
      if (length === 0) return;
      position += length;
      const lines = (rest + decoder.write(buffer.subarray(0, length))).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) onLine(line);
      if (rest.length > LONGEST_LINE) {
        onLine(rest);
        rest = "";
      }
    }
  };
  return {
    read,
    end() {
      read();
      rest += decoder.end();
      if (rest !== "") onLine(rest);
      rest = "";
    },
    close: () => closeSync(file),
  };
}

const LEAST_ROOM = 65_536;

function isFull(folder: string): boolean {
  const { bavail, bsize, ffree, files } = statfsSync(folder);
  return bavail * bsize < LEAST_ROOM || (files > 0 && ffree === 0);
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

function readFrom(path: string, start: number): string {
  if (start === 0) return readFileSync(path, "utf8");
  return readFileSync(path).subarray(start).toString("utf8");
}
