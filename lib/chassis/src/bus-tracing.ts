import { SpanKind } from "@opentelemetry/api";
import type { BusHandler } from "./bus.ts";
import { inSpan, inTraceOf, TRACEPARENT } from "./tracing.ts";

/**
 * A handler whose work is a part of the trace the message came with; a message without one is handled as it is. Each
 * bus wraps what is subscribed.
 *
 * @param pattern names the span: a subject would make one name a tenant.
 */
export function traceHandler(pattern: string, handler: BusHandler): BusHandler {
  return async (delivery) => {
    const traceparent = delivery.headers?.[TRACEPARENT];
    if (traceparent === undefined) return await inTraceOf(undefined, () => handler(delivery));
    const attributes = {
      "messaging.destination.template": pattern,
      "messaging.message.id": delivery.id,
      "xcf.delivery": delivery.attempt,
    };
    await inTraceOf(traceparent, () =>
      inSpan(`process ${pattern}`, { kind: SpanKind.CONSUMER, attributes }, () => handler(delivery)),
    );
  };
}
