import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { logPath } from "./owner-files.ts";
import { type OwnerReport, ownerReportSchema } from "./owner-protocol.ts";

/** How to start an owner: it must call `runOwner` with `readyFd` 3. */
export interface OwnerCommand {
  readonly executable: string;
  readonly arguments: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** The descriptor a spawned owner reports on. */
export const READY_FD = 3;

/** Lines of the owner's last words worth showing. */
const LAST_WORDS = 15;

/**
 * Starts a detached owner that outlives this process, and waits for its report. One that dies without a word is reported
 * as failed with the end of what it wrote to standard error.
 */
export async function spawnOwner(dir: string, command: OwnerCommand, signal: AbortSignal): Promise<OwnerReport> {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const log = openSync(logPath(dir), "a", 0o600);
  const before = readFileSync(logPath(dir)).length;
  const child = spawn(command.executable, command.arguments, {
    cwd: dir,
    env: { ...command.environment },
    detached: true,
    stdio: ["ignore", log, log, "pipe"],
  });
  closeSync(log);
  const pipe = child.stdio[READY_FD];
  if (pipe === null || pipe === undefined || !("on" in pipe)) throw new Error("spawn gave no pipe");
  const { promise, resolve, reject } = Promise.withResolvers<OwnerReport>();
  let text = "";
  const stop = (): void => reject(signal.reason);
  signal.addEventListener("abort", stop, { once: true });
  pipe.on("data", (bytes: Buffer) => {
    text += bytes.toString("utf8");
    const line = text.split("\n", 2);
    if (line.length === 2) resolve(ownerReportSchema.parse(JSON.parse(line[0] ?? "")));
  });
  child.once("error", reject);
  const ended = (code: number | null, killer: NodeJS.Signals | null): void => {
    const fail = (): void => resolve(wordless(killer ?? `exit code ${code}`, lastWords(dir, before)));
    // The report may still be in the pipe when the process is gone.
    if (pipe.destroyed) fail();
    else pipe.once("close", fail);
  };
  child.once("exit", ended);
  try {
    return await promise;
  } finally {
    signal.removeEventListener("abort", stop);
    child.off("exit", ended);
    pipe.removeAllListeners("close").destroy();
    child.unref();
  }
}

function wordless(exit: string, words: string): OwnerReport {
  const what = `the control plane's process ended as it started (${exit})${words === "" ? "" : `:\n${words}`}`;
  return {
    kind: "failed",
    error: { code: "OWNER_START_FAILED", category: "internal", what, hint: "run xcf doctor, or try again" },
  };
}

function lastWords(dir: string, from: number): string {
  const text = readFileSync(logPath(dir)).subarray(from).toString("utf8").trimEnd();
  return text.split("\n").slice(-LAST_WORDS).join("\n");
}
