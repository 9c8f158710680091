import { type ChildProcess, spawn } from "node:child_process";
import { EngineFailedError } from "./engine-errors.ts";

/**
 * Starts engines from a small process of its own. Starting a process copies the page tables of whoever starts it: from
 * a control plane with an embedded database in memory that costs ten times as much processor time as from an empty one
 * (7 ms against 0.7 ms at 350 MB). The spawner has no other state, and engines do not depend on its life.
 */
export interface EngineSpawner {
  /** Starts a program in a process group of its own, with its output appended to two files. */
  start(request: SpawnRequest): Promise<SpawnedEngine>;
  close(): void;
}

export interface SpawnRequest {
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly stdout: string;
  readonly stderr: string;
}

export interface SpawnedEngine {
  readonly pid: number;
  readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
}

/** Thrown when the program could not be started: `ENOENT`, `EACCES` and the like. */
export class ProgramUnstartableError extends Error {
  readonly code: string;

  constructor(file: string, code: string) {
    super(`${file} cannot be started: ${code}`);
    this.name = "ProgramUnstartableError";
    this.code = code;
  }
}

type Answer =
  | { readonly id: number; readonly pid: number }
  | { readonly id: number; readonly error: string }
  | { readonly id: number; readonly code: number | null; readonly signal: NodeJS.Signals | null };

interface Pending {
  readonly file: string;
  readonly started: PromiseWithResolvers<SpawnedEngine>;
  readonly ended: PromiseWithResolvers<{ code: number | null; signal: NodeJS.Signals | null }>;
}

export function createEngineSpawner(): EngineSpawner {
  const pending = new Map<number, Pending>();
  let helper: ChildProcess | undefined;
  let sequence = 0;

  function start(): ChildProcess {
    // Source text and not a file, so that it survives being bundled; whatever it needs it gets from node itself.
    const child = spawn(process.execPath, ["--max-semi-space-size=1", "-e", `(${serveSpawns.toString()})()`], {
      stdio: ["ignore", "ignore", "inherit", "ipc"],
      env: {},
      // Away from the terminal: Ctrl-C is for this process to deal with.
      detached: true,
      serialization: "json",
    });
    child.on("message", (message: Answer) => answer(message));
    child.once("error", lose);
    child.once("exit", lose);
    child.unref();
    child.channel?.unref();
    return child;

    function lose(): void {
      if (helper === child) helper = undefined;
      const error = new SpawnerLostError();
      for (const [id, { started, ended }] of pending) {
        pending.delete(id);
        started.reject(error);
        ended.reject(error);
      }
    }
  }

  function answer(message: Answer): void {
    const waiting = pending.get(message.id);
    if (waiting === undefined) return;
    if ("pid" in message) {
      waiting.started.resolve({ pid: message.pid, ended: waiting.ended.promise });
      return;
    }
    pending.delete(message.id);
    if (pending.size === 0) helper?.channel?.unref();
    if ("error" in message) waiting.started.reject(new ProgramUnstartableError(waiting.file, message.error));
    else waiting.ended.resolve(message);
  }

  return {
    start(request) {
      helper ??= start();
      const id = sequence;
      sequence += 1;
      const waiting: Pending = { file: request.file, started: Promise.withResolvers(), ended: Promise.withResolvers() };
      // Whoever waits for the start hears of a loss first.
      waiting.ended.promise.catch(() => undefined);
      pending.set(id, waiting);
      helper.channel?.ref();
      helper.send({ id, ...request }, (error) => {
        if (error !== null) waiting.started.reject(error);
      });
      return waiting.started.promise;
    },
    close() {
      helper?.disconnect();
      helper = undefined;
    },
  };
}

/** Thrown when the spawner died: the engines it started may still run, and nobody knows how they end. */
export class SpawnerLostError extends EngineFailedError {
  constructor() {
    super("ENGINE_SPAWNER_LOST", "internal", {
      what: "the process that starts engines has died",
      hint: "retry the run: it looks first at what is there",
      effects: "possible",
    });
  }
}

/** The spawner's whole program. Self-contained: only its text goes to the other process. */
function serveSpawns(): void {
  const { spawn: start } = process.getBuiltinModule("node:child_process");
  const { closeSync, openSync } = process.getBuiltinModule("node:fs");
  const tell = (message: object): void => {
    if (process.connected) process.send?.(message);
  };
  process.on("message", (request: SpawnRequest & { readonly id: number }) => {
    const { id, file, args, cwd, env } = request;
    const files: number[] = [];
    try {
      for (const path of [request.stdout, request.stderr]) files.push(openSync(path, "a", 0o600));
      const [stdout = "ignore", stderr = "ignore"] = files;
      const child = start(file, args, { cwd, env, stdio: ["ignore", stdout, stderr], detached: true, shell: false });
      child.once("error", (error) => tell({ id, error: "code" in error ? String(error.code) : error.message }));
      child.once("exit", (code, signal) => tell({ id, code, signal }));
      if (child.pid !== undefined) tell({ id, pid: child.pid });
    } catch (error) {
      tell({ id, error: error instanceof Error && "code" in error ? String(error.code) : String(error) });
    } finally {
      for (const descriptor of files) closeSync(descriptor);
    }
  });
  // The control plane is gone: engines go on without anybody to tell, and are found again by whoever comes next.
  process.on("disconnect", () => process.exit());
}
