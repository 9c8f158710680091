import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join, resolve } from "node:path";
import { poll } from "./poll.ts";

const SOURCES = resolve(import.meta.dirname, "../..");

const started = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of started) child.kill("SIGKILL");
});

/** One process of the mesh, started as its container would be. */
export interface MeshChild {
  readonly child: ChildProcess;
  /** Lines on standard error so far. */
  readonly lines: readonly string[];
  /** Its exit code. */
  ended(): Promise<number | null>;
  untilLine(pattern: RegExp): Promise<string>;
}

/** @param main path of a `main.ts` below the sources. */
export function startMeshProcess(main: string, env: Readonly<Record<string, string>>): MeshChild {
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", join(SOURCES, main)], {
    env: { PATH: process.env["PATH"] ?? "", ...env },
    stdio: ["pipe", "ignore", "pipe"],
  });
  started.add(child);
  let text = "";
  child.stderr?.on("data", (bytes: Buffer) => {
    text += bytes.toString();
  });
  // Closed once its output has been read as well.
  const exit = once(child, "close");
  const lines = (): string[] => text.split("\n").filter((line) => line !== "");
  return {
    child,
    get lines() {
      return lines();
    },
    async ended() {
      await exit;
      return child.exitCode;
    },
    async untilLine(pattern) {
      const found = await poll(
        async () => lines().find((line) => pattern.test(line)) ?? "",
        (line) => line !== "" || child.exitCode !== null,
        30_000,
      );
      if (found === "") throw new Error(`no line like ${pattern} in\n${text}`);
      return found;
    },
  };
}
