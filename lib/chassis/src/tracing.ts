import {
  type Attributes,
  type Context,
  context,
  createContextKey,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from "@opentelemetry/api";
import { CodedError } from "@xcloudflow/model/coded-error";

/** The W3C header, the CloudEvents attribute and, in capitals, the environment variable that carry a trace on. */
export const TRACEPARENT = "traceparent";

const VERSION_1 = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;
const NOTHING = /^0+$/;

const tracer = trace.getTracer("xcloudflow");
const quietKey = createContextKey("xcloudflow.quiet");

export interface SpanOptions {
  /** Default: inside this process. */
  readonly kind?: SpanKind;
  /** Names, ids and codes; never secrets, never what a request holds. */
  readonly attributes?: Attributes;
}

/** The running span as `00-<trace>-<span>-<flags>`; undefined when nothing is traced. */
export function currentTraceparent(): string | undefined {
  return traceparentOf(context.active());
}

function traceparentOf(from: Context): string | undefined {
  const span = trace.getSpanContext(from);
  if (span === undefined || NOTHING.test(span.traceId)) return undefined;
  return `00-${span.traceId}-${span.spanId}-${span.traceFlags.toString(16).padStart(2, "0")}`;
}

/** Runs `work` as a part of the trace that `traceparent` names, and of no other; what is no traceparent starts afresh. */
export function inTraceOf<T>(traceparent: string | null | undefined, work: () => T): T {
  const [, traceId, spanId, flags = "0"] = VERSION_1.exec(traceparent ?? "") ?? [];
  if (traceId === undefined || spanId === undefined || NOTHING.test(traceId) || NOTHING.test(spanId))
    return context.with(ROOT_CONTEXT, work);
  const remote = { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true };
  return context.with(trace.setSpanContext(ROOT_CONTEXT, remote), work);
}

/** Runs `work` without spans of its own or of what it calls: for looking around by the clock. The trace goes on in what it leaves behind. */
export function quietly<T>(work: () => T): T {
  return context.with(context.active().setValue(quietKey, true), work);
}

/** Whether a span begun here would be part of something somebody waits for. */
export function isTraced(): boolean {
  const active = context.active();
  return active.getValue(quietKey) !== true && trace.getSpanContext(active) !== undefined;
}

/** Runs `work` as a span, which ends with it and records how it failed. */
export async function inSpan<T>(name: string, options: SpanOptions, work: (span: Span) => Promise<T>): Promise<T> {
  const loud = context.active().deleteValue(quietKey);
  const span = startSpan(name, options, loud);
  try {
    return await context.with(trace.setSpan(loud, span), () => work(span));
  } catch (error) {
    failSpan(span, error);
    throw error;
  } finally {
    span.end();
  }
}

/** As `inSpan` where there is a trace already; else just `work`. */
export async function inChildSpan<T>(name: string, options: SpanOptions, work: () => Promise<T>): Promise<T> {
  return isTraced() ? await inSpan(name, options, work) : await work();
}

/** A span that the caller ends. */
export function startSpan(
  name: string,
  { kind = SpanKind.INTERNAL, attributes = {} }: SpanOptions,
  parent: Context,
): Span {
  return tracer.startSpan(name, { kind, attributes }, parent);
}

/** Marks a span as failed by its error's code. Not its words: they name what only the caller may read. */
export function failSpan(span: Span, error: unknown): void {
  const code = error instanceof CodedError ? error.code : error instanceof Error ? error.name : "unknown";
  span.setAttribute("error.type", code);
  span.setStatus({ code: SpanStatusCode.ERROR, message: code });
}
