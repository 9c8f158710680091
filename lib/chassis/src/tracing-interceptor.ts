import type { DescMethod } from "@bufbuild/protobuf";
import { Code, ConnectError, type Interceptor, type Transport } from "@connectrpc/connect";
import { type Context, context, type Span, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { callerKey } from "./caller.ts";
import { rpcClientDuration, rpcServerDuration } from "./chassis-metrics.ts";
import type { Histogram } from "./instruments.ts";
import { currentTraceparent, inTraceOf, isTraced, startSpan, TRACEPARENT } from "./tracing.ts";

/** A worker asks for work and renews leases all day: nobody follows a trace of that. */
const UNTRACED: ReadonlySet<string> = new Set(["ClaimTask", "Heartbeat"]);

/** What a server answers for when it fails; everything else is the caller's mistake and no fault in the trace. */
const SERVER_FAULTS: ReadonlySet<Code> = new Set([
  Code.Unknown,
  Code.DeadlineExceeded,
  Code.Unimplemented,
  Code.Internal,
  Code.Unavailable,
  Code.DataLoss,
]);

/**
 * A span a call served, as a part of the caller's trace. Outermost, so that everything else is inside it.
 *
 * @param roots whether a call that brings no trace begins one: at the edge, where requests come from; inside the mesh,
 *   such a call is one that its maker does not follow.
 */
export function serverTracingInterceptor({ roots }: { readonly roots: boolean }): Interceptor {
  return (next) => (request) => {
    const { method, header, contextValues, signal } = request;
    const measure = startMeasure(rpcServerDuration, method);
    const traceparent = header.get(TRACEPARENT);
    if (!isWorthASpan(method) || (traceparent === null && !roots))
      return followed(() => next(request), measure, signal);
    return inTraceOf(traceparent, () => {
      const span = startCallSpan(method, SpanKind.SERVER);
      const end = (reason?: unknown): void => {
        const caller = contextValues.get(callerKey);
        if (caller !== undefined) span.setAttribute("xcf.tenant", caller.tenant);
        endCallSpan(span, reason, SERVER_FAULTS);
        measure(reason);
      };
      return context.with(trace.setSpan(context.active(), span), () => followed(() => next(request), end, signal));
    });
  };
}

/**
 * A transport whose calls are spans where they are a part of a trace, with the trace told to the other side, whatever
 * the protocol. The generated clients of `clients.ts` all go through it.
 */
export function traceTransport(transport: Transport): Transport {
  return {
    unary: (method, signal, timeoutMs, header, input, values) =>
      traceCall(method, signal, header, (headers) =>
        transport.unary(method, signal, timeoutMs, headers, input, values),
      ),
    stream: (method, signal, timeoutMs, header, input, values) =>
      traceCall(method, signal, header, (headers) =>
        transport.stream(method, signal, timeoutMs, headers, input, values),
      ),
  };
}

function traceCall<R extends AnyResponse>(
  method: DescMethod,
  signal: AbortSignal | undefined,
  header: HeadersGiven,
  call: (header: HeadersGiven) => Promise<R>,
): Promise<R> {
  const measure = startMeasure(rpcClientDuration, method);
  if (!isTraced() || !isWorthASpan(method)) return followed(() => call(header), measure, signal);
  const span = startCallSpan(method, SpanKind.CLIENT);
  const end = (reason?: unknown): void => {
    endCallSpan(span, reason);
    measure(reason);
  };
  return context.with(trace.setSpan(context.active(), span), () => {
    const headers = new Headers(header);
    const traceparent = currentTraceparent();
    if (traceparent !== undefined) headers.set(TRACEPARENT, traceparent);
    return followed(() => call(headers), end, signal);
  });
}

function isWorthASpan(method: DescMethod): boolean {
  return method.parent.typeName.startsWith("xcloudflow.") && !UNTRACED.has(method.name);
}

function nameOf(method: DescMethod): string {
  return `${method.parent.typeName}/${method.name}`;
}

function startCallSpan(method: DescMethod, kind: SpanKind): Span {
  const name = nameOf(method);
  return startSpan(
    name,
    { kind, attributes: { "rpc.system.name": "connectrpc", "rpc.method": name } },
    context.active(),
  );
}

function endCallSpan(span: Span, reason: unknown, faults?: ReadonlySet<Code>): void {
  if (reason !== undefined) {
    const { code } = ConnectError.from(reason);
    const word = Code[code];
    span.setAttribute("rpc.response.status_code", word);
    if (faults === undefined || faults.has(code)) {
      span.setAttribute("error.type", word);
      span.setStatus({ code: SpanStatusCode.ERROR, message: word });
    }
  }
  span.end();
}

function startMeasure(histogram: Histogram, method: DescMethod): (reason?: unknown) => void {
  const started = performance.now();
  return (reason) =>
    histogram.record((performance.now() - started) / 1_000, {
      rpc_method: nameOf(method),
      code: reason === undefined ? "Ok" : Code[ConnectError.from(reason).code],
    });
}

type HeadersGiven = ConstructorParameters<typeof Headers>[0];

type AnyResponse = { readonly stream: false } | { readonly stream: true; readonly message: AsyncIterable<unknown> };

/**
 * Calls `tell` once: with what went wrong, or with nothing. A stream ends when it was read to its end or left.
 *
 * @param left aborted when the reader of a stream has gone, which not every protocol tells the iterable.
 */
async function followed<R extends AnyResponse>(
  call: () => Promise<R>,
  tell: (reason?: unknown) => void,
  left?: AbortSignal,
): Promise<R> {
  let ended = false;
  const end = (reason?: unknown): void => {
    if (!ended) tell(reason);
    ended = true;
  };
  try {
    const response = await call();
    if (response.stream) {
      left?.addEventListener("abort", () => end(), { once: true });
      return { ...response, message: followedStream(response.message, context.active(), end) };
    }
    end();
    return response;
  } catch (reason) {
    end(reason);
    throw reason;
  }
}

/** What makes the next message runs inside the call's span, whoever asks for it. */
async function* followedStream(
  messages: AsyncIterable<unknown>,
  within: Context,
  end: (reason?: unknown) => void,
): AsyncGenerator {
  const iterator = messages[Symbol.asyncIterator]();
  let failure: unknown;
  try {
    for (;;) {
      const { done, value } = await context.with(within, () => iterator.next());
      if (done === true) return;
      yield value;
    }
  } catch (reason) {
    failure = reason;
    throw reason;
  } finally {
    // Clients' iterables have no `return`; those of handlers end there.
    await context.with(within, () => iterator.return?.());
    end(failure);
  }
}
