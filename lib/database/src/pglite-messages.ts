import { messages } from "@electric-sql/pglite";

/**
 * Messages of PostgreSQL's frontend/backend protocol 3 (https://www.postgresql.org/docs/current/protocol-message-formats.html),
 * as far as one statement at a time needs them. Numbers are big-endian; a message is a type byte, a length that counts itself,
 * and a body.
 */
export interface MessageWriter {
  /** Parses `sql` as the statement `name`; empty: the one that the next parse replaces. */
  parse(name: string, sql: string): void;
  describeStatement(name: string): void;
  /** Bytes go as they are, texts in the text format; `binaryColumns` are wanted as they are, too. */
  bind(name: string, parameters: readonly BoundValue[], binaryColumns: readonly boolean[]): void;
  execute(): void;
  closeStatement(name: string): void;
  /** One or more statements without parameters. */
  query(sql: string): void;
  sync(): void;
  /** Everything written since the last call. Valid until the next message is written. */
  take(): Uint8Array;
}

export type BoundValue = string | Uint8Array | null;

const FIRST_SIZE = 64 * 1024;
/** A buffer that one large value made this large is not kept. */
const LARGEST_KEPT = 1024 * 1024;

export function createMessageWriter(): MessageWriter {
  let buffer = Buffer.allocUnsafeSlow(FIRST_SIZE);
  let end = 0;
  let lengthAt = 0;

  function reserve(bytes: number): void {
    if (end + bytes <= buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(buffer.length * 2, end + bytes));
    buffer.copy(larger, 0, 0, end);
    buffer = larger;
  }

  function begin(type: string): void {
    reserve(16);
    buffer[end] = type.charCodeAt(0);
    lengthAt = end + 1;
    end += 5;
  }

  function finish(): void {
    buffer.writeInt32BE(end - lengthAt, lengthAt);
  }

  function text(value: string): void {
    reserve(value.length * 3 + 1);
    end += buffer.write(value, end);
    buffer[end++] = 0;
  }

  function int16(value: number): void {
    reserve(2);
    end = buffer.writeInt16BE(value, end);
  }

  function int32(value: number): void {
    reserve(4);
    end = buffer.writeInt32BE(value, end);
  }

  function value(bound: BoundValue): void {
    if (bound === null) int32(-1);
    else if (typeof bound === "string") {
      reserve(4 + bound.length * 3);
      const written = buffer.write(bound, end + 4);
      buffer.writeInt32BE(written, end);
      end += 4 + written;
    } else {
      int32(bound.length);
      reserve(bound.length);
      buffer.set(bound, end);
      end += bound.length;
    }
  }

  return {
    parse(name, sql) {
      begin("P");
      text(name);
      text(sql);
      int16(0);
      finish();
    },
    describeStatement(name) {
      begin("D");
      buffer[end++] = "S".charCodeAt(0);
      text(name);
      finish();
    },
    bind(name, parameters, binaryColumns) {
      begin("B");
      text("");
      text(name);
      int16(parameters.length);
      for (const parameter of parameters) int16(parameter instanceof Uint8Array ? 1 : 0);
      int16(parameters.length);
      for (const parameter of parameters) value(parameter);
      if (binaryColumns.includes(true)) {
        int16(binaryColumns.length);
        for (const binary of binaryColumns) int16(binary ? 1 : 0);
      } else int16(0);
      finish();
    },
    execute() {
      begin("E");
      text("");
      int32(0);
      finish();
    },
    closeStatement(name) {
      begin("C");
      buffer[end++] = "S".charCodeAt(0);
      text(name);
      finish();
    },
    query(sql) {
      begin("Q");
      text(sql);
      finish();
    },
    sync() {
      begin("S");
      finish();
    },
    take() {
      const taken = buffer.subarray(0, end);
      if (buffer.length > LARGEST_KEPT) buffer = Buffer.allocUnsafeSlow(FIRST_SIZE);
      end = 0;
      return taken;
    },
  };
}

export interface Column {
  readonly name: string;
  readonly type: number;
}

/** What the server answered to a batch of messages. */
export interface Answer {
  /** Of the last statement that was described. */
  readonly parameterTypes: readonly number[] | undefined;
  readonly columns: readonly Column[] | undefined;
  /** Bodies of the rows, in order; each an offset and a length into `bytes`. */
  readonly rows: readonly number[];
  /** Tag of the last statement that was completed, such as `INSERT 0 1`. */
  readonly tag: string;
  readonly error: messages.DatabaseError | undefined;
  readonly bytes: Buffer;
}

export function readAnswer(answer: Uint8Array): Answer {
  const bytes = Buffer.from(answer.buffer, answer.byteOffset, answer.byteLength);
  const rows: number[] = [];
  let parameterTypes: readonly number[] | undefined;
  let columns: readonly Column[] | undefined;
  let tag = "";
  let error: messages.DatabaseError | undefined;
  for (let at = 0; at < bytes.length; ) {
    const type = bytes[at];
    const body = at + 5;
    const next = at + 1 + bytes.readInt32BE(at + 1);
    if (type === ROW) rows.push(body);
    else if (type === COMPLETE) tag = bytes.toString("latin1", body, next - 1);
    else if (type === ERROR) error ??= readError(bytes, body, next);
    else if (type === PARAMETERS) parameterTypes = readParameterTypes(bytes, body);
    else if (type === COLUMNS) columns = readColumns(bytes, body);
    at = next;
  }
  return { parameterTypes, columns, rows, tag, error, bytes };
}

const ROW = "D".charCodeAt(0);
const COMPLETE = "C".charCodeAt(0);
const ERROR = "E".charCodeAt(0);
const PARAMETERS = "t".charCodeAt(0);
const COLUMNS = "T".charCodeAt(0);

function readParameterTypes(bytes: Buffer, body: number): readonly number[] {
  return Array.from({ length: bytes.readInt16BE(body) }, (_, index) => bytes.readInt32BE(body + 2 + 4 * index));
}

function readColumns(bytes: Buffer, body: number): readonly Column[] {
  let at = body + 2;
  return Array.from({ length: bytes.readInt16BE(body) }, () => {
    const end = bytes.indexOf(0, at);
    const name = bytes.toString("utf8", at, end);
    // After the name: table (4), column (2), type (4), size (2), modifier (4), format (2).
    const type = bytes.readInt32BE(end + 7);
    at = end + 19;
    return { name, type };
  });
}

/** Field codes of ErrorResponse (https://www.postgresql.org/docs/current/protocol-error-fields.html). */
const ERROR_FIELDS = {
  S: "severity",
  C: "code",
  D: "detail",
  H: "hint",
  P: "position",
  p: "internalPosition",
  q: "internalQuery",
  W: "where",
  s: "schema",
  t: "table",
  c: "column",
  d: "dataType",
  n: "constraint",
  F: "file",
  L: "line",
  R: "routine",
} as const;

function isErrorField(code: string): code is keyof typeof ERROR_FIELDS {
  return code in ERROR_FIELDS;
}

function readError(bytes: Buffer, body: number, next: number): messages.DatabaseError {
  const fields = new Map<string, string>();
  for (let at = body; at < next && bytes[at] !== 0; ) {
    const end = bytes.indexOf(0, at + 1);
    fields.set(String.fromCharCode(bytes[at] ?? 0), bytes.toString("utf8", at + 1, end));
    at = end + 1;
  }
  const error = new messages.DatabaseError(fields.get("M") ?? "unknown database error", next - body, "error");
  for (const [code, value] of fields) if (isErrorField(code)) error[ERROR_FIELDS[code]] = value;
  return error;
}
