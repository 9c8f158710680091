import { isSpanContextValid, trace } from "@opentelemetry/api";

/** Least to most urgent. */
export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** What a line says besides its message. Values that are instances of classes (typed secrets) print as the class's name. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Structured logging. One line is one event; `message` is constant text, what varies goes into fields. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A logger that adds these fields to every line. */
  with(fields: LogFields): Logger;
}

export interface LoggerOptions {
  readonly level: LogLevel;
  readonly now: () => Date;
  /** Takes one line, without its line feed. */
  readonly write: (line: string) => void;
  readonly fields?: LogFields;
}

/** Writes JSON lines: `{"time", "level", "message", …fields}`, with `trace_id` and `span_id` where a span is active. */
export function createLogger({ level, now, write, fields = {} }: LoggerOptions): Logger {
  const least = LOG_LEVELS.indexOf(level);
  const log = (at: LogLevel, message: string, more: LogFields = {}): void => {
    if (LOG_LEVELS.indexOf(at) < least) return;
    write(formatLogLine(now(), at, message, { ...spanFields(), ...fields, ...more }));
  };
  return {
    debug: (message, more) => log("debug", message, more),
    info: (message, more) => log("info", message, more),
    warn: (message, more) => log("warn", message, more),
    error: (message, more) => log("error", message, more),
    with: (more) => createLogger({ level, now, write, fields: { ...fields, ...more } }),
  };
}

/** Named as log collectors look for them. */
function spanFields(): LogFields {
  const span = trace.getActiveSpan()?.spanContext();
  return span === undefined || !isSpanContextValid(span) ? {} : { trace_id: span.traceId, span_id: span.spanId };
}

/** Says nothing: for verbs that print their result only. */
export const silentLogger: Logger = createLogger({
  level: "error",
  now: () => new Date(0),
  write: () => undefined,
});

const RESERVED = new Set(["time", "level", "message"]);
const MAX_DEPTH = 6;
const SECRET_NAME = /(?:token|password|secret|authorization|credential|private.?key)(?!.*(?:id|count)$)/i;

/** One line; never throws, whatever the fields hold, since a log line must not break what it reports. */
export function formatLogLine(time: Date, level: LogLevel, message: string, fields: LogFields): string {
  const line: Record<string, unknown> = { time: time.toISOString(), level, message };
  for (const [key, value] of Object.entries(fields)) {
    if (!RESERVED.has(key)) line[key] = printable(key, value, 0, new Set());
  }
  return JSON.stringify(line);
}

function printable(key: string, value: unknown, depth: number, seen: ReadonlySet<object>): unknown {
  if (value === null || value === undefined || typeof value === "boolean" || typeof value === "number") return value;
  if (typeof value === "string") return SECRET_NAME.test(key) ? "[secret]" : value;
  if (typeof value === "bigint") return value.toString();
  if (typeof value !== "object") return `[${typeof value}]`;
  if (seen.has(value)) return "[circular]";
  if (depth >= MAX_DEPTH) return "[deep]";
  const within = new Set([...seen, value]);
  if (value instanceof Error) return printableError(value, depth, within);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? "[invalid date]" : value.toISOString();
  if (value instanceof Uint8Array) return `[${value.byteLength} bytes]`;
  if (Array.isArray(value)) return value.map((item) => printable(key, item, depth + 1, within));
  if (isPlain(value)) {
    return Object.fromEntries(
      Object.entries(value).map(([name, member]) => [name, printable(name, member, depth + 1, within)]),
    );
  }
  // Instances of classes, typed secrets among them, show their name and nothing of what they hold.
  return `[${value.constructor.name}]`;
}

function printableError(error: Error, depth: number, seen: ReadonlySet<object>): unknown {
  const code = "code" in error && typeof error.code === "string" ? { code: error.code } : {};
  const cause = error.cause === undefined ? {} : { cause: printable("cause", error.cause, depth + 1, seen) };
  return { name: error.name, message: error.message, ...code, stack: error.stack, ...cause };
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
