import { CodedError } from "@xcloudflow/model/coded-error";

/** Thrown when a message is published to what is not a plain NATS subject. */
export class BusSubjectInvalidError extends CodedError {
  constructor(subject: string, what: string) {
    super("BUS_SUBJECT_INVALID", "invalid", {
      what,
      where: `subject "${subject}"`,
      hint: "escape each part with escapeSubjectToken",
    });
  }
}

/** Thrown when a bus is used after it was closed. */
export class BusClosedError extends CodedError {
  constructor() {
    super("BUS_CLOSED", "unavailable", {
      what: "the event bus is closed",
      hint: "the process is shutting down; run the command again",
    });
  }
}

/** Thrown when NATS did not do what the bus needs of it; trying again, with the same message id, is safe. */
export class BusUnavailableError extends CodedError {
  constructor(where: string, cause: unknown) {
    super("BUS_UNAVAILABLE", "unavailable", {
      what: "the event bus does not answer",
      where,
      hint: "check NATS; nothing is lost, events are published from the outbox once it answers",
      cause,
    });
  }
}
