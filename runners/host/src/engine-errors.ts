import { CodedError, type ErrorCategory, type ErrorParts } from "@xcloudflow/model/coded-error";

/** `none`: nothing was changed for certain, a retry is safe. `possible`: it may have been. */
export type Effects = "none" | "possible";

export interface EngineFailure extends ErrorParts {
  readonly effects: Effects;
  /** Trying again without changing anything may help: a network, a lock held for a moment. */
  readonly retryable?: boolean;
}

/** Thrown when an engine could not do what a task asks; it becomes the task's `failed` result. */
export class EngineFailedError extends CodedError {
  readonly effects: Effects;
  readonly retryable: boolean;

  constructor(code: string, category: ErrorCategory, failure: EngineFailure) {
    super(code, category, failure);
    this.effects = failure.effects;
    this.retryable = failure.retryable ?? false;
  }
}

/** Thrown inside an attempt that was asked to end; it becomes the task's `canceled` result. */
export class AttemptCanceledError extends CodedError {
  readonly effects: Effects;

  constructor(effects: Effects, cause?: unknown) {
    super("ATTEMPT_CANCELED", "canceled", { what: "the attempt was canceled", cause });
    this.effects = effects;
  }
}

/** Thrown inside an attempt whose worker ends before it; it becomes the task's `released` result, for the next worker. */
export class WorkerEndingError extends CodedError {
  constructor() {
    super("WORKER_ENDING", "canceled", { what: "the worker ends", hint: "another worker takes the task" });
  }
}

/** Thrown inside an attempt whose lease is lost: its engine was killed and nobody waits for a result. */
export class AttemptLostError extends CodedError {
  constructor(what: string) {
    super("ATTEMPT_LOST", "canceled", { what, hint: "another attempt looks at what is there and goes on" });
  }
}

/** Thrown inside an attempt that ran longer than its task allows. */
export class AttemptTimedOutError extends CodedError {
  constructor(seconds: number) {
    super("ENGINE_TIMED_OUT", "timeout", {
      what: `the engine did not end within ${seconds} s and was stopped`,
      hint: "raise the unit's timeout or look in its log for what it waited for",
    });
  }
}

/** Thrown when a task names an engine that this worker does not have. */
export class EngineMissingError extends CodedError {
  constructor(engine: string, hint: string) {
    super("ENGINE_MISSING", "unavailable", { what: `no ${engine} is to be had on this worker`, hint });
  }
}
