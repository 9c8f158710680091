import { CodedError } from "@xcloudflow/model/coded-error";
import type { HeldLock, Refusal } from "./engine-state-decision.ts";

/** Thrown when a write comes from an attempt that is over: a later one has replaced it, or its time has run out. */
export class FencePassedError extends CodedError {
  constructor(unit: string, held: bigint, fence: bigint) {
    super("FENCE_PASSED", "stale", {
      what:
        fence > held
          ? `attempt ${held} is over: attempt ${fence} is responsible for the unit now`
          : `attempt ${held} is over: its token has expired`,
      where: unit,
      hint: "the worker must stop; what it wrote late is kept as quarantined, see `xcf state versions`",
    });
  }
}

/** Thrown when the engine's state is locked by somebody else. */
export class StateLockHeldError extends CodedError {
  readonly lock: HeldLock;

  constructor(unit: string, lock: HeldLock) {
    super("STATE_LOCK_HELD", "conflict", {
      what: `the state is locked by ${lock.holder.name} (lock ${lock.id})`,
      where: unit,
      hint: "wait until it is released; if its holder is gone, `xcf unlock --engine` or `terraform force-unlock` breaks it",
    });
    this.lock = lock;
  }
}

/** Thrown when a write names a lock that nobody holds (any more). */
export class StateLockLostError extends CodedError {
  constructor(unit: string, lockId: string) {
    super("STATE_LOCK_LOST", "conflict", {
      what: `lock ${lockId} is not held: somebody has broken it`,
      where: unit,
      hint: "look at what changed meanwhile, then plan again",
    });
  }
}

/** Thrown when a state is offered that does not continue the current one. */
export class StateHistoryConflictError extends CodedError {
  constructor(unit: string, { reason, current }: Extract<Refusal, { current: unknown }>) {
    super(reason === "lineage" ? "STATE_LINEAGE_DIFFERS" : "STATE_SERIAL_NOT_HIGHER", "conflict", {
      what:
        reason === "lineage"
          ? `the state has another lineage than the current one (${current.lineage})`
          : `the state's serial is not higher than the current one (${current.serial}), and its content differs`,
      where: unit,
      hint:
        reason === "lineage"
          ? "it belongs to another unit; check the backend's address"
          : "somebody wrote meanwhile; plan again",
    });
  }
}

export function refusalError(unit: string, held: bigint, refusal: Refusal): CodedError {
  switch (refusal.reason) {
    case "locked":
      return new StateLockHeldError(unit, refusal.lock);
    case "lock-lost":
      return new StateLockLostError(unit, refusal.lockId);
    case "fence-passed":
      return new FencePassedError(unit, held, refusal.fence);
    default:
      return new StateHistoryConflictError(unit, refusal);
  }
}

/** Thrown when bytes offered as an engine's state are not one. */
export class EngineStateInvalidError extends CodedError {
  constructor(what: string, cause?: unknown) {
    super("ENGINE_STATE_INVALID", "invalid", {
      what: `not an engine state: ${what}`,
      hint: "a state is a JSON object with `serial` and `lineage`, as terraform writes it",
      cause,
    });
  }
}

/** Thrown when an upload has more bytes than allowed. */
export class UploadTooLargeError extends CodedError {
  constructor(limit: number) {
    super("UPLOAD_TOO_LARGE", "exhausted", {
      what: `the upload has more than ${limit} bytes`,
      hint: "raise the limit in the control plane's settings, or split the unit",
    });
  }
}

/** Thrown when uploaded bytes are not what their checksum says. */
export class UploadChecksumError extends CodedError {
  constructor(where: string, expected: string, actual: string) {
    super("UPLOAD_CHECKSUM_WRONG", "invalid", {
      what: `the bytes have checksum ${actual}, not ${expected}`,
      where,
      hint: "they were damaged on the way; send them again",
    });
  }
}

/** Thrown when an upload was taken away before it was finished, because it stood unfinished for too long. */
export class UploadExpiredError extends CodedError {
  constructor() {
    super("UPLOAD_EXPIRED", "timeout", { what: "the upload took too long", hint: "send it again" });
  }
}

/** Thrown when the tenant has no such artefact, ChangeSet, state or version. */
export class RecordMissingError extends CodedError {
  constructor(noun: "artefact" | "ChangeSet" | "state" | "version" | "output", name: string) {
    super(`${noun.toUpperCase()}_NOT_FOUND`, "notFound", {
      what: `there is no ${noun} ${name}`,
      hint: "check its name and the tenant",
    });
  }
}

/** Thrown when a ChangeSet's id is taken by one with another digest. */
export class ChangeSetTakenError extends CodedError {
  constructor(id: string) {
    super("CHANGE_SET_TAKEN", "alreadyExists", {
      what: `${id} exists already and has another digest`,
      where: id,
      hint: "a ChangeSet never changes; make a new one",
    });
  }
}

/** Thrown when a unit is renamed to one that has a state of its own, or while its state is locked. */
export class StateMoveRefusedError extends CodedError {
  constructor(unit: string, what: string, hint: string) {
    super("STATE_MOVE_REFUSED", "stale", { what, where: unit, hint });
  }
}

/** Thrown when an attempt asks for what its token does not name. */
export class AttemptNotEntitledError extends CodedError {
  constructor(unit: string, what: string) {
    super("ATTEMPT_NOT_ENTITLED", "forbidden", {
      what: `the attempt's token does not allow it to ${what}`,
      where: unit,
      hint: "only what the ChangeSet names is open to an attempt",
    });
  }
}
