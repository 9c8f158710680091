import { spawn } from "node:child_process";
import { closeSync, fstatSync, openSync, readFileSync, readSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { StringDecoder } from "node:string_decoder";
import { EngineFailedError, EngineMissingError } from "./engine-errors.ts";
import { identifyProcess, type ProcessIdentity, signalGroup } from "./process-table-cli.ts";

export interface EngineCommand {
  /** Absolute path or a name on the PATH; never a shell. */
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd: string;
  /** Added to the clean base environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Called for each line while the process runs and for the rest at its end. */
  onLine?(line: string, stream: "stdout" | "stderr"): void;
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
  /** Folder for the output files. */
  readonly outputFolder: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  /** The abort reason means that the group must die at once. */
  readonly mustKill: (reason: unknown) => boolean;
  readonly stopTimes: StopTimes;
  /** Told before anything the process does can be lost track of. */
  readonly onStart: (process: ProcessIdentity) => void;
  readonly sequence: number;
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
  const { signal, outputFolder, sequence } = options;
  signal.throwIfAborted();
  const paths = { stdout: join(outputFolder, `${sequence}.stdout`), stderr: join(outputFolder, `${sequence}.stderr`) };
  const files = { stdout: openSync(paths.stdout, "wx+", 0o600), stderr: openSync(paths.stderr, "wx+", 0o600) };
  try {
    const exit = await runToEnd(command, options, files);
    return {
      ...exit,
      stdout: () => readFileSync(paths.stdout, "utf8"),
      stderr: () => tailOf(paths.stderr),
      diskFull: () => isFull(outputFolder),
    };
  } finally {
    closeSync(files.stdout);
    closeSync(files.stderr);
  }
}

interface OutputFiles {
  readonly stdout: number;
  readonly stderr: number;
}

async function runToEnd(
  command: EngineCommand,
  options: EngineProcessOptions,
  files: OutputFiles,
): Promise<Pick<EngineExit, "code" | "signal">> {
  const { promise, resolve, reject } = Promise.withResolvers<Pick<EngineExit, "code" | "signal">>();
  const child = spawn(command.file, command.args, {
    cwd: command.cwd,
    env: { ...options.environment, ...command.env },
    stdio: ["ignore", files.stdout, files.stderr],
    detached: true,
    shell: false,
  });
  child.once("error", reject);
  child.once("exit", (code, ended) => resolve({ code, signal: ended }));
  const group = child.pid;
  if (group !== undefined) options.onStart(identifyProcess(group) ?? { pid: group, started: "" });

  const out = followLines(files.stdout, (line) => command.onLine?.(line, "stdout"));
  const err = followLines(files.stderr, (line) => command.onLine?.(line, "stderr"));
  const limit = command.outputLimit ?? DEFAULT_LIMIT;
  let overflow = false;
  const follow = setInterval(() => {
    if (command.onLine !== undefined) {
      out.read();
      err.read();
    }
    if (!overflow && fstatSync(files.stdout).size + fstatSync(files.stderr).size > limit) {
      overflow = true;
      stopGently();
    }
  }, FOLLOW_MS);

  const timers: NodeJS.Timeout[] = [];
  const kill = (): void => {
    if (group !== undefined) signalGroup(group, "SIGKILL");
  };
  function stopGently(): void {
    if (timers.length > 0) return;
    child.kill("SIGINT");
    timers.push(setTimeout(() => child.kill("SIGTERM"), options.stopTimes.afterInterrupt));
    timers.push(setTimeout(kill, options.stopTimes.afterInterrupt + options.stopTimes.afterTerminate));
  }
  const stop = (): void => (options.mustKill(options.signal.reason) ? kill() : stopGently());
  options.signal.addEventListener("abort", stop);
  if (options.signal.aborted) stop();
  try {
    const exit = await promise;
    // What the engine started must not go on once the engine was stopped.
    if (options.signal.aborted || overflow) kill();
    if (overflow) throw new EngineOutputTooLongError(limit);
    return exit;
  } catch (error) {
    throw isSpawnError(error)
      ? new EngineMissingError(command.file, `it cannot be started (${error.code}); \`xcf doctor\` says how to get it`)
      : error;
  } finally {
    clearInterval(follow);
    for (const timer of timers) clearTimeout(timer);
    options.signal.removeEventListener("abort", stop);
    if (command.onLine !== undefined) {
      out.end();
      err.end();
    }
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

function isSpawnError(error: unknown): error is Error & { code: string } {
  return error instanceof Error && "syscall" in error && String(error.syscall).startsWith("spawn") && "code" in error;
}

const CHUNK = 65_536;
const LONGEST_LINE = 2 ** 20;

interface LineFollower {
  read(): void;
  end(): void;
}

/** Reads what was appended to a file since last time and hands it out line by line; a line of over 1 MiB is cut up. */
function followLines(file: number, onLine: (line: string) => void): LineFollower {
  const decoder = new StringDecoder("utf8");
  let position = 0;
  let rest = "";
  let buffer: Buffer | undefined;
  const read = (): void => {
    for (;;) {
      buffer ??= Buffer.allocUnsafe(CHUNK);
      const length = readSync(file, buffer, 0, CHUNK, position);
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
  };
}

const LEAST_ROOM = 65_536;

function isFull(folder: string): boolean {
  const { bavail, bsize, ffree, files } = statfsSync(folder);
  return bavail * bsize < LEAST_ROOM || (files > 0 && ffree === 0);
}

function tailOf(path: string): string {
  const text = readFileSync(path);
  return text.subarray(Math.max(0, text.length - STDERR_TAIL)).toString("utf8");
}
