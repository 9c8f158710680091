import { CodedError } from "@xcloudflow/model/coded-error";

/** Thrown when no NATS server answers at any of the addresses. */
export class NatsUnreachableError extends CodedError {
  constructor(where: string, cause: unknown) {
    super("NATS_UNREACHABLE", "unavailable", {
      what: `no NATS server answers (${messageOf(cause)})`,
      where,
      hint: "check XCF_NATS_URL and that nats-server runs",
      cause,
    });
  }
}

/** Thrown when NATS knows us and does not let us in, or does not let us do what a process of the mesh must do. */
export class NatsForbiddenError extends CodedError {
  constructor(where: string, cause: unknown) {
    super("NATS_FORBIDDEN", "forbidden", {
      what: `NATS refused us (${messageOf(cause)})`,
      where,
      hint: "check XCF_NATS_USER and XCF_NATS_PASSWORD, or XCF_NATS_CREDS, and the permissions of that user",
      cause,
    });
  }
}

/** Thrown when the two sides do not agree on TLS: a wrong authority, a certificate of neither, TLS on one side only. */
export class NatsTlsError extends CodedError {
  constructor(where: string, cause: unknown) {
    super("NATS_TLS_FAILED", "unauthenticated", {
      what: `no secure connection to NATS (${messageOf(cause)})`,
      where,
      hint: "check XCF_NATS_CA, XCF_NATS_CERT and XCF_NATS_KEY against the server's own certificates",
      cause,
    });
  }
}

/** Thrown when a file of the NATS settings cannot be read. */
export class NatsFileUnreadableError extends CodedError {
  constructor(variable: string, path: string, cause: unknown) {
    super("NATS_FILE_UNREADABLE", "invalid", {
      what: `the file of ${variable} cannot be read (${messageOf(cause)})`,
      where: path,
      hint: "name a file that this process may read",
      cause,
    });
  }
}

/** Thrown when a stream or consumer exists and differs in what NATS can never change. */
export class NatsStreamDiffersError extends CodedError {
  constructor(name: string, differences: readonly string[]) {
    super("NATS_STREAM_DIFFERS", "conflict", {
      what: `exists with ${differences.join(", ")}, which cannot be changed`,
      where: `stream ${name}`,
      hint: "let the settings say what exists, or delete the stream: events are published again from the outbox",
    });
  }
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
