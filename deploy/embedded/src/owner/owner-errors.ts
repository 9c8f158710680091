import { CodedError, type ErrorCategory } from "@xcloudflow/model/coded-error";

/** Thrown when another process already owns the folder. */
export class OwnerTakenError extends CodedError {
  constructor(dir: string) {
    super("OWNER_TAKEN", "conflict", {
      what: "another process owns this control plane",
      where: dir,
      hint: "use it as a client, or end that process first",
    });
  }
}

/** Thrown when the folder's lock file cannot be made or written: no room, no permission, no such place. */
export class OwnerFolderUnusableError extends CodedError {
  constructor(dir: string, cause: unknown) {
    const words = cause instanceof Error ? cause.message : String(cause);
    const isFull = /disk is full|ENOSPC/.test(words);
    super("OWNER_FOLDER_UNUSABLE", "unavailable", {
      what: isFull
        ? "there is no room for the control plane's files"
        : `the control plane's folder cannot be used: ${words}`,
      where: dir,
      hint: isFull
        ? "free some space and try again; what was committed is kept"
        : "make it writable for you and try again",
      cause,
    });
  }
}

/** Thrown when the owner is alive but does not answer in time. */
export class OwnerUnresponsiveError extends CodedError {
  readonly pid: number | undefined;

  constructor(dir: string, pid: number | undefined, waitedMs: number) {
    const stop =
      pid === undefined
        ? "end the xcf process that holds this folder"
        : `run: kill -CONT ${pid}; should it still hang: kill -9 ${pid}`;
    super("OWNER_UNRESPONSIVE", "timeout", {
      what: `the control plane's process${pid === undefined ? "" : ` (pid ${pid})`} did not answer for ${Math.round(waitedMs / 100) / 10} s`,
      where: dir,
      hint: `${stop}; what was committed is kept`,
    });
    this.pid = pid;
  }
}

/** Thrown when the owner is of another version of XCloudFlow and cannot leave, because it is in use. */
export class OwnerVersionMismatchError extends CodedError {
  readonly pid: number;
  readonly theirs: string;
  readonly ours: string;

  constructor(dir: string, owner: { pid: number; version: string }, ours: string) {
    super("OWNER_VERSION_MISMATCH", "conflict", {
      what: `the control plane in use is XCloudFlow ${owner.version} (pid ${owner.pid}), this is ${ours}`,
      where: dir,
      hint: `use ${owner.version}, or wait until its runs and clients have ended, or run: kill ${owner.pid}`,
    });
    this.pid = owner.pid;
    this.theirs = owner.version;
    this.ours = ours;
  }
}

/** Thrown when the owner could not start; carries the code and words of its own error where it gave one. */
export class OwnerStartFailedError extends CodedError {
  constructor(failure: OwnerFailure) {
    super(failure.code, failure.category, failure);
  }
}

/** An error as one process tells it to another. */
export interface OwnerFailure {
  readonly code: string;
  readonly category: ErrorCategory;
  readonly what: string;
  readonly where?: string | undefined;
  readonly hint?: string | undefined;
}

/** Thrown when the place for the owner's socket belongs to somebody else or cannot be made. */
export class OwnerSocketUnsafeError extends CodedError {
  constructor(path: string, what: string) {
    super("OWNER_SOCKET_UNSAFE", "forbidden", {
      what,
      where: path,
      hint: "remove it, or set TMPDIR to a folder of your own",
    });
  }
}
