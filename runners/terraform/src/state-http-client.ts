import { createHash } from "node:crypto";
import type { StateBackend } from "@xcloudflow/runner-host/attempt";
import { EngineFailedError } from "@xcloudflow/runner-host/engine-errors";

/** Thrown when the control plane's state backend does not answer as Terraform's HTTP backend protocol says. */
export class StateBackendRefusedError extends EngineFailedError {
  constructor(what: string, retryable: boolean, cause?: unknown) {
    super("STATE_UNAVAILABLE", "unavailable", {
      what: `the state backend ${what}`,
      hint: "check that the control plane's state service is reachable from this worker, then retry the run",
      effects: "none",
      retryable,
      cause,
    });
  }
}

/** The current state as text, empty when there is none (protocol: Terraform's `http` backend, GET). */
export async function pullState(backend: StateBackend, signal: AbortSignal): Promise<string> {
  const response = await call(backend, "GET", "", undefined, signal);
  if (response.status === 404 || response.status === 204) return "";
  if (response.status !== 200) throw refusal("reading", response.status);
  return response.text();
}

/** Writes a state under a lock of its own, as terraform does. */
export async function pushState(
  backend: StateBackend,
  text: string,
  holder: LockHolder,
  signal: AbortSignal,
): Promise<void> {
  const lock = lockInfo(holder, "OperationTypeRestore");
  const locked = await call(backend, "LOCK", "", lock, signal);
  if (locked.status !== 200) throw refusal("locking", locked.status);
  try {
    const written = await call(backend, "POST", `?ID=${encodeURIComponent(holder.id)}`, text, signal);
    if (written.status >= 300) throw refusal("writing", written.status);
  } finally {
    await call(backend, "UNLOCK", "", lock, undefined);
  }
}

/**
 * The lock info of whoever holds the state's lock; undefined when nobody does any more. The protocol tells it only to
 * those who ask for the lock, and terraform itself shows its own lock info in the holder's place.
 */
export async function readLockHolder(backend: StateBackend, asker: LockHolder): Promise<string | undefined> {
  const lock = lockInfo(asker, "OperationTypeInspect");
  const answer = await call(backend, "LOCK", "", lock, undefined);
  if (answer.status === 423 || answer.status === 409) return answer.text();
  if (answer.status === 200) await call(backend, "UNLOCK", "", lock, undefined);
  return undefined;
}

export interface LockHolder {
  readonly id: string;
  readonly created: string;
}

function lockInfo({ id, created }: LockHolder, operation: string): string {
  return JSON.stringify({
    ID: id,
    Operation: operation,
    Who: "xcf",
    Version: "",
    Created: created,
    Path: "",
    Info: "",
  });
}

async function call(
  backend: StateBackend,
  method: string,
  query: string,
  body: string | undefined,
  signal: AbortSignal | undefined,
): Promise<Response> {
  const credentials = Buffer.from(`${backend.username}:${backend.password.reveal()}`).toString("base64");
  const headers = {
    authorization: `Basic ${credentials}`,
    ...(body === undefined
      ? {}
      : { "content-type": "application/json", "content-md5": createHash("md5").update(body).digest("base64") }),
  };
  try {
    return await fetch(`${backend.address}${query}`, {
      method,
      headers,
      ...(body === undefined ? {} : { body }),
      ...(signal === undefined ? {} : { signal }),
    });
  } catch (cause) {
    signal?.throwIfAborted();
    throw new StateBackendRefusedError(`at ${backend.address} cannot be reached`, true, cause);
  }
}

function refusal(doing: string, status: number): StateBackendRefusedError {
  return new StateBackendRefusedError(`answered ${status} when ${doing}`, status >= 500);
}
