import { createConnection } from "node:net";
import type { Transport } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { type Clock, pause } from "@xcloudflow/chassis/clock";
import { type OwnerCommand, spawnOwner } from "./owner-cli.ts";
import {
  OwnerSocketUnsafeError,
  OwnerStartFailedError,
  OwnerUnresponsiveError,
  OwnerVersionMismatchError,
} from "./owner-errors.ts";
import { readIdentity, socketPath } from "./owner-files.ts";
import { takeLock } from "./owner-lock.ts";
import { OWNER_PROTOCOL, type OwnerIdentity } from "./owner-protocol.ts";
import { OWNER_URL, type OwnerSession, openOwnerSession } from "./owner-session.ts";

export interface ConnectOwnerOptions {
  /** The `.xcf` folder. */
  readonly dir: string;
  /** This program's; an owner of another version is asked to leave. */
  readonly version: string;
  readonly clock: Clock;
  /** How to start an owner when there is none. */
  readonly command: OwnerCommand;
  /** How long an owner may take to answer, default 10 s. */
  readonly answerMs?: number;
  /** How long starting, or waiting for another to start or leave, may take in all, default 60 s. */
  readonly startMs?: number;
}

/** One client's hold on the owner: it stays until this is closed or the process ends. */
export interface OwnerConnection {
  readonly identity: OwnerIdentity;
  readonly transport: Transport;
  /** Resolves when the owner has gone: killed, or told to stop. */
  readonly gone: Promise<void>;
  close(): void;
}

const ANSWER_MS = 10_000;
const START_MS = 60_000;
/** Nothing signals that a process started by somebody else now listens, so this is how often we look. */
const FIRST_LOOK_MS = 25;
const LONGEST_LOOK_MS = 800;
const MESSAGE_BYTES = 64 * 1024 * 1024;

/**
 * Connects to the folder's owner and starts one if there is none; of many that come at once, one starts it.
 *
 * @throws {OwnerUnresponsiveError} when somebody holds the folder and does not answer.
 * @throws {OwnerVersionMismatchError} when the owner is of another version and in use.
 * @throws {OwnerStartFailedError} when a new owner could not start, with its reason.
 */
export async function connectOwner(options: ConnectOwnerOptions): Promise<OwnerConnection> {
  const { dir, clock, answerMs = ANSWER_MS, startMs = START_MS } = options;
  const begun = clock.now().getTime();
  const waited = (): number => clock.now().getTime() - begun;
  const overall = createDeadline(clock, startMs);
  let lookAgainMs = FIRST_LOOK_MS;
  try {
    for (;;) {
      const session = await reach(dir, clock, answerMs);
      if (session === "silent") throw new OwnerUnresponsiveError(dir, (await readIdentity(dir))?.pid, answerMs);
      if (session !== "absent" && (await isOurs(session, options))) return connectionOf(session);
      if (session === "absent") {
        const outcome = await startUnlessStarting(options, overall.signal);
        if (outcome === "ready") continue;
        // The folder's holder listens not yet or no longer: it is starting, leaving, or stuck.
        if (outcome === "taken") lookAgainMs = Math.min(lookAgainMs * 2, LONGEST_LOOK_MS);
      }
      await pause(clock, lookAgainMs, overall.signal);
    }
  } catch (error) {
    if (error === overall.signal.reason)
      throw new OwnerUnresponsiveError(dir, (await readIdentity(dir))?.pid, waited());
    throw error;
  } finally {
    overall.end();
  }
}

/** The owner's session; `absent` when nobody listens, `silent` when somebody does and does not answer. */
async function reach(dir: string, clock: Clock, answerMs: number): Promise<OwnerSession | "absent" | "silent"> {
  const deadline = createDeadline(clock, answerMs);
  try {
    const known = await readIdentity(dir);
    return await openOwnerSession(known?.socket ?? socketPath(dir), deadline.signal);
  } catch (error) {
    if (deadline.signal.aborted && error === deadline.signal.reason) return "silent";
    if (isForbidden(error))
      throw new OwnerSocketUnsafeError(socketPath(dir), "the control plane belongs to another user");
    // Refused, no such socket, or cut off by an owner that is just leaving: all mean that there is none to talk to.
    return "absent";
  } finally {
    deadline.end();
  }
}

/** Whether the owner speaks our language; if not and it is idle, it leaves and the next round starts ours. */
async function isOurs(
  session: OwnerSession,
  { dir, version, clock, answerMs = ANSWER_MS }: ConnectOwnerOptions,
): Promise<boolean> {
  const { identity } = session;
  if (identity.version === version && identity.protocol === OWNER_PROTOCOL) return true;
  const deadline = createDeadline(clock, answerMs);
  try {
    if (!(await session.askToLeave(deadline.signal))) throw new OwnerVersionMismatchError(dir, identity, version);
    await session.gone;
    return false;
  } catch (error) {
    if (error === deadline.signal.reason) throw new OwnerUnresponsiveError(dir, identity.pid, answerMs);
    throw error;
  } finally {
    deadline.end();
    session.close();
  }
}

async function startUnlessStarting(
  { dir, command }: ConnectOwnerOptions,
  signal: AbortSignal,
): Promise<"ready" | "taken" | "starting"> {
  const turn = takeLock(dir, "starting");
  if (turn === undefined) return "starting";
  try {
    const report = await spawnOwner(dir, command, signal);
    if (report.kind === "failed") throw new OwnerStartFailedError(report.error);
    return report.kind;
  } finally {
    turn.release();
  }
}

function connectionOf(session: OwnerSession): OwnerConnection {
  const { socket } = session.identity;
  const sessionManager = new Http2SessionManager(OWNER_URL, {}, { createConnection: () => createConnection(socket) });
  return {
    identity: session.identity,
    gone: session.gone,
    transport: createGrpcTransport({
      baseUrl: OWNER_URL,
      sessionManager,
      readMaxBytes: MESSAGE_BYTES,
      writeMaxBytes: MESSAGE_BYTES,
    }),
    close() {
      sessionManager.abort();
      session.close();
    },
  };
}

function isForbidden(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "EACCES" || error.code === "EPERM");
}

function createDeadline(clock: Clock, milliseconds: number): { signal: AbortSignal; end(): void } {
  const controller = new AbortController();
  const end = clock.schedule(milliseconds, () => controller.abort(new Error(`no answer within ${milliseconds} ms`)));
  return { signal: controller.signal, end };
}
