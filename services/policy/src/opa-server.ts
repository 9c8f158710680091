import { type OpaProcess, startOpa } from "./opa-cli.ts";
import type { OpaClient } from "./opa-client.ts";
import { createOpaClient } from "./opa-client.ts";
import { writeOpaFiles } from "./opa-files.ts";
import type { PolicyBundle } from "./policy-bundle.ts";
import { PolicyUnavailableError } from "./policy-errors.ts";

export interface OpaServerOptions {
  readonly binary: string;
  /** Where scratch folders are made. */
  readonly folder: string;
  readonly startTimeoutMs: number;
}

/** A running OPA with one bundle, reachable by nobody but this user. */
export interface OpaServer {
  readonly revision: string;
  readonly pid: number;
  readonly client: OpaClient;
  /** Resolves with the reason when it ends. */
  readonly exited: Promise<string>;
  /** Why it ended; undefined while it runs. */
  ending(): string | undefined;
  kill(): void;
  /** Ends it and removes its files. Safe to call twice. */
  stop(): Promise<void>;
}

const POLL_MS = 3;

/**
 * Two threads are enough for the evaluations of one plan, and a heap that may grow fourfold between collections halves
 * the time to read a large plan; the limit makes it collect before it becomes a burden.
 */
const ENVIRONMENT = { GOMAXPROCS: "2", GOGC: "400", GOMEMLIMIT: "160MiB" };

/**
 * Starts an OPA that listens on a socket in a folder of mode 0700 and answers when this resolves.
 *
 * @throws {PolicyUnavailableError} when it ends or does not answer in time.
 */
export async function startOpaServer(bundle: PolicyBundle, options: OpaServerOptions): Promise<OpaServer> {
  const files = await writeOpaFiles(bundle, options.folder);
  const args = ["run", "--server", "--addr", `unix://${files.socket}`, "--log-level", "error", "--skip-version-check"];
  if (bundle.regoVersion === "v0") args.push("--v0-compatible");
  const opa = startOpa(options.binary, [...args, ...files.load], { cwd: files.cwd, env: ENVIRONMENT });
  const client = createOpaClient(files.socket);
  let ending: string | undefined;
  void opa.exited.then((reason) => {
    ending = reason;
    client.close();
  });
  const stop = async (): Promise<void> => {
    client.close();
    opa.kill();
    await opa.exited;
    await files.remove();
  };
  try {
    await waitForAnswer(client, opa, () => ending, options.startTimeoutMs);
  } catch (cause) {
    await stop();
    throw new PolicyUnavailableError(cause instanceof Error ? cause.message : String(cause), {
      revision: bundle.revision,
      cause,
    });
  }
  return {
    revision: bundle.revision,
    pid: opa.pid,
    client,
    exited: opa.exited,
    ending: () => ending,
    kill: opa.kill,
    stop,
  };
}

async function waitForAnswer(client: OpaClient, opa: OpaProcess, ending: () => string | undefined, timeoutMs: number) {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const answer = await client.send("GET", "/health", [], AbortSignal.timeout(timeoutMs)).catch(() => undefined);
    if (answer?.status === 200) return;
    const reason = ending();
    if (reason !== undefined) throw new Error(`opa did not start: ${reason}`);
    if (performance.now() > deadline) throw new Error(`opa did not start within ${timeoutMs} ms`);
    await Promise.race([opa.exited, new Promise((resolve) => setTimeout(resolve, POLL_MS))]);
  }
}
