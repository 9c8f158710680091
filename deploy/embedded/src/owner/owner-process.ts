import { closeSync, writeSync } from "node:fs";
import type { ConnectRouter, Interceptor } from "@connectrpc/connect";
import type { CancelTimer, Clock } from "@xcloudflow/chassis/clock";
import { CodedError } from "@xcloudflow/model/coded-error";
import { type OwnerFailure, OwnerTakenError } from "./owner-errors.ts";
import { prepareSocketFolder, removeIdentity, socketPath, writeIdentity } from "./owner-files.ts";
import { type OwnerLock, takeLock } from "./owner-lock.ts";
import { OWNER_PROTOCOL, type OwnerIdentity, type OwnerReport } from "./owner-protocol.ts";
import { type OwnerServer, serveOwnerSocket } from "./owner-server.ts";

/** All services of the one-process mode, opened on a folder that this process owns. */
export interface ControlPlane {
  readonly routes: (router: ConnectRouter) => void;
  /** For calls that come over the owner's socket, outermost first. */
  readonly interceptors?: readonly Interceptor[];
  /** Whether a run is active, which keeps the owner alive without clients. */
  isBusy(): boolean;
  close(): Promise<void>;
}

export type StartControlPlane = (options: { readonly dir: string }) => Promise<ControlPlane>;

export interface OwnerOptions {
  /** The `.xcf` folder. */
  readonly dir: string;
  readonly version: string;
  readonly clock: Clock;
  readonly startControlPlane: StartControlPlane;
  /** How long to stay after the last client has left and the last run has ended; `forever` for `xcf up`. */
  readonly lingerMs: number | "forever";
}

export interface Owner {
  readonly identity: OwnerIdentity;
  /** Resolves when it has left and the lock is free, whatever the reason. */
  readonly left: Promise<void>;
  leave(): Promise<void>;
}

/**
 * Takes the folder, starts the control plane and serves it to this user's processes.
 *
 * @throws {OwnerTakenError} when another process has the folder.
 * @throws what `startControlPlane` threw; the folder is free again then.
 */
export async function startOwner(options: OwnerOptions): Promise<Owner> {
  const lock = takeLock(options.dir, "owner");
  if (lock === undefined) throw new OwnerTakenError(options.dir);
  try {
    return await serve(options, lock);
  } catch (error) {
    lock.release();
    throw error;
  }
}

async function serve(
  { dir, version, clock, startControlPlane, lingerMs }: OwnerOptions,
  lock: OwnerLock,
): Promise<Owner> {
  const socket = socketPath(dir);
  prepareSocketFolder(dir, socket);
  const identity = {
    pid: process.pid,
    version,
    protocol: OWNER_PROTOCOL,
    socket,
    startedAt: clock.now().toISOString(),
  };
  const controlPlane = await startControlPlane({ dir });
  const left = Promise.withResolvers<void>();
  let leaving: Promise<void> | undefined;
  let server: OwnerServer | undefined;
  let timer: CancelTimer = () => undefined;

  function considerLeaving(): void {
    timer();
    if (lingerMs === "forever" || leaving) return;
    timer = clock.schedule(lingerMs, () => {
      if (server === undefined || server.clients() > 0) return;
      // Nothing tells when the last run ends, so a busy owner looks again after as long.
      if (controlPlane.isBusy()) considerLeaving();
      else void leave();
    });
  }

  function leave(): Promise<void> {
    leaving ??= finish();
    return leaving;
  }

  async function finish(): Promise<void> {
    timer();
    try {
      await server?.close();
      await removeIdentity(dir);
      await controlPlane.close();
      left.resolve();
    } catch (error) {
      left.reject(error);
    } finally {
      lock.release();
    }
    await left.promise;
  }

  try {
    server = await serveOwnerSocket({
      identity,
      routes: controlPlane.routes,
      interceptors: controlPlane.interceptors ?? [],
      onClients: (count) => (count === 0 ? considerLeaving() : timer()),
      onLeave(clients) {
        if (lingerMs === "forever" || clients > 1 || controlPlane.isBusy()) return false;
        setImmediate(leave);
        return true;
      },
    });
    await writeIdentity(dir, identity);
  } catch (error) {
    await server?.close();
    await controlPlane.close();
    throw error;
  }
  considerLeaving();
  return { identity, left: left.promise, leave };
}

export interface OwnerProcessOptions extends OwnerOptions {
  /** Descriptor that `spawnOwner` waits on, from the command line it was given. */
  readonly readyFd?: number | undefined;
  /** Calls its argument when the process is asked to end (SIGTERM, SIGINT). */
  readonly onStop: (stop: () => void) => void;
}

/**
 * What the hidden verb `xcf owner` runs: one owner from start to end, reporting to whoever spawned it. Returns the exit
 * code; the caller exits with it, whatever timers services have left.
 *
 * @throws what startOwner threw, when nobody waits for a report.
 */
export async function runOwner(options: OwnerProcessOptions): Promise<number> {
  let owner: Owner;
  try {
    owner = await startOwner(options);
  } catch (error) {
    if (options.readyFd === undefined) throw error;
    report(
      options.readyFd,
      error instanceof OwnerTakenError ? { kind: "taken" } : { kind: "failed", error: failureOf(error) },
    );
    return 1;
  }
  if (options.readyFd !== undefined) report(options.readyFd, { kind: "ready" });
  options.onStop(() => void owner.leave());
  await owner.left;
  return 0;
}

function report(fd: number, line: OwnerReport): void {
  try {
    writeSync(fd, `${JSON.stringify(line)}\n`);
    closeSync(fd);
  } catch (error) {
    // The client that spawned us has gone; others will find us.
    if (!(error instanceof Error && "code" in error && error.code === "EPIPE")) throw error;
  }
}

function failureOf(error: unknown): OwnerFailure {
  if (error instanceof CodedError) {
    const { code, category, what, where, hint } = error;
    return { code, category, what, where, hint };
  }
  const what = error instanceof Error ? error.message : String(error);
  return {
    code: "OWNER_START_FAILED",
    category: "internal",
    what: `the control plane could not start: ${what}`,
    hint: "owner.log has more",
  };
}
