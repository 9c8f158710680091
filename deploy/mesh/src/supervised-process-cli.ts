import { type ChildProcess, spawn } from "node:child_process";
import { appendFileSync } from "node:fs";
import { type Clock, pause } from "@xcloudflow/chassis/clock";

export interface ProcessCommand {
  readonly name: string;
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** Its standard output and error are appended there. */
  readonly log: string;
  /** Runs as this user: PostgreSQL refuses root. */
  readonly identity?: { readonly uid: number; readonly gid: number };
  /** Which signal asks it to end; SIGTERM by default. */
  readonly stopSignal?: NodeJS.Signals;
  /** Whether it runs now. */
  readonly isReady: () => Promise<boolean>;
}

/** A process that is started again when it ends, as a container runtime would. */
export interface SupervisedProcess {
  readonly name: string;
  readonly pid: number | undefined;
  /** How often it has been started. */
  readonly starts: number;
  /** Resolves when it answers that it is ready. @throws when that takes too long, with the end of its log. */
  ready(): Promise<void>;
  /** Sends a signal to the process itself; what follows is its own and the supervisor's affair. */
  signal(signal: NodeJS.Signals): void;
  /** Asks it to end, kills it when it does not, and does not start it again. */
  stop(): Promise<void>;
}

const RESTART_MS = 250;
/** One that has run for so long has not failed to start: the next pause is the shortest again. */
const STEADY_MS = 10_000;
const READY_MS = 60_000;
const LOOK_MS = 50;
/** Longer than a worker drains and its engines take to stop. */
const STOP_MS = 30_000;

export function superviseProcess(command: ProcessCommand, clock: Clock): SupervisedProcess {
  let child: ChildProcess | undefined;
  let ended: Promise<void> = Promise.resolve();
  let starts = 0;
  let failures = 0;
  let stopping = false;
  let lines = "";

  function start(): void {
    if (stopping) return;
    starts += 1;
    const startedAt = clock.now().getTime();
    const running = spawn(command.file, command.args, {
      cwd: command.cwd,
      env: { ...command.env },
      // The pipe on its input is the leash: when we are killed it ends, and so does the process.
      stdio: ["pipe", "pipe", "pipe"],
      ...command.identity,
    });
    child = running;
    for (const stream of [running.stdout, running.stderr]) stream.on("data", (chunk: Buffer) => keep(chunk));
    running.stdin.on("error", () => undefined);
    const { promise, resolve } = Promise.withResolvers<void>();
    ended = promise;
    running.once("error", (error) => {
      keep(Buffer.from(`${command.file} cannot be started: ${error.message}\n`));
      resolve();
    });
    running.once("exit", () => {
      resolve();
      failures = clock.now().getTime() - startedAt < STEADY_MS ? failures + 1 : 1;
      if (!stopping) clock.schedule(RESTART_MS * Math.min(failures, 8), start);
    });
  }

  function keep(chunk: Buffer): void {
    lines = (lines + chunk.toString()).slice(-4_000);
    appendFileSync(command.log, chunk);
  }

  start();
  return {
    name: command.name,
    get pid() {
      return child?.exitCode === null && child.signalCode === null ? child.pid : undefined;
    },
    get starts() {
      return starts;
    },
    async ready() {
      const deadline = clock.now().getTime() + READY_MS;
      while (!(await command.isReady().catch(() => false))) {
        if (clock.now().getTime() > deadline) throw new Error(`${command.name} is not ready; it said:\n${lines}`);
        await pause(clock, LOOK_MS);
      }
    },
    signal: (signal) => void child?.kill(signal),
    async stop() {
      stopping = true;
      if (child?.exitCode !== null || child.signalCode !== null) return;
      child.kill(command.stopSignal ?? "SIGTERM");
      // One that is frozen hears nothing.
      child.kill("SIGCONT");
      const kill = clock.schedule(STOP_MS, () => child?.kill("SIGKILL"));
      await ended;
      kill();
    },
  };
}
