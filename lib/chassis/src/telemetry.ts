import type { IncomingMessage, ServerResponse } from "node:http";
import { context, metrics, trace } from "@opentelemetry/api";

export interface TelemetryOptions {
  /** `orchestrator`, `runner-terraform`, `xcf`: what traces and metrics call this process. */
  readonly service: string;
  readonly version: string;
  /** Tells replicas apart; default: host and process id are left to the scraper. */
  readonly instance?: string | undefined;
  /** Where spans go as OTLP over HTTP, without `/v1/traces`: `http://127.0.0.1:4318`. Absent: nowhere. */
  readonly otlpEndpoint?: string | undefined;
  /** Whether to count and time for a Prometheus that asks. */
  readonly prometheus: boolean;
  /** Share of new traces that are kept, 0 to 1; a caller's decision is always followed. Default 1. */
  readonly sampleRatio?: number | undefined;
  /** Longest time a finished span waits for others to travel with, in milliseconds. Default 1,000. */
  readonly lingerMs?: number | undefined;
}

/** A process's telemetry while it runs. */
export interface Telemetry {
  /** Answers with the metrics as Prometheus text; for the process's own probe port. Absent unless asked for. */
  readonly metricsHandler?: (request: IncomingMessage, response: ServerResponse) => void;
  /** Sends what is left and stops. Never throws: a collector that is away is no fault of the process's. */
  shutdown(): Promise<void>;
}

const LINGER_MS = 1_000;
/** A collector that is away holds up the end of a verb no longer than this. */
const EXPORT_MS = 2_000;
/** A span says what happened, not what was in it. */
const LONGEST_ATTRIBUTE = 1_024;

/**
 * Makes what the program says through `@opentelemetry/api` go somewhere. Call it first thing in a process, before
 * services are composed. The SDK is loaded only when something was asked for: without, spans and metrics cost nothing.
 */
export async function startTelemetry(options: TelemetryOptions): Promise<Telemetry> {
  const wantsTraces = options.otlpEndpoint !== undefined && options.otlpEndpoint !== "";
  if (!wantsTraces && !options.prometheus) return { shutdown: async () => undefined };
  const { resourceFromAttributes } = await import("@opentelemetry/resources");
  const resource = resourceFromAttributes({
    "service.namespace": "xcloudflow",
    "service.name": options.service,
    "service.version": options.version,
    ...(options.instance === undefined ? {} : { "service.instance.id": options.instance }),
  });
  const tracing = wantsTraces ? await startTracing(options, resource) : undefined;
  const metering = options.prometheus ? await startMetering(resource) : undefined;
  return {
    ...(metering === undefined ? {} : { metricsHandler: metering.handler }),
    async shutdown() {
      await Promise.allSettled([tracing?.shutdown(), metering?.shutdown()]);
      trace.disable();
      context.disable();
      metrics.disable();
    },
  };
}

type Resource = ReturnType<typeof import("@opentelemetry/resources").resourceFromAttributes>;

async function startTracing(
  { otlpEndpoint = "", sampleRatio = 1, lingerMs = LINGER_MS }: TelemetryOptions,
  resource: Resource,
): Promise<{ shutdown(): Promise<void> }> {
  const [{ AsyncLocalStorageContextManager }, { OTLPTraceExporter }, sdk] = await Promise.all([
    import("@opentelemetry/context-async-hooks"),
    import("@opentelemetry/exporter-trace-otlp-proto"),
    import("@opentelemetry/sdk-trace"),
  ]);
  const exporter = new OTLPTraceExporter({
    url: `${otlpEndpoint.replace(/\/+$/, "")}/v1/traces`,
    timeoutMillis: EXPORT_MS,
  });
  const provider = new sdk.TracerProvider({
    resource,
    sampler: new sdk.ParentBasedSampler({ root: new sdk.TraceIdRatioBasedSampler(sampleRatio) }),
    spanLimits: { attributeValueLengthLimit: LONGEST_ATTRIBUTE },
    spanProcessors: [
      new sdk.BatchSpanProcessor({ exporter, scheduledDelayMillis: lingerMs, exportTimeoutMillis: EXPORT_MS }),
    ],
  });
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  trace.setGlobalTracerProvider(provider);
  return provider;
}

async function startMetering(resource: Resource): Promise<{
  handler: NonNullable<Telemetry["metricsHandler"]>;
  shutdown(): Promise<void>;
}> {
  const [{ PrometheusExporter }, { MeterProvider }] = await Promise.all([
    import("@opentelemetry/exporter-prometheus"),
    import("@opentelemetry/sdk-metrics"),
  ]);
  const exporter = new PrometheusExporter({ preventServerStart: true, withoutScopeInfo: true });
  const provider = new MeterProvider({ resource, readers: [exporter] });
  metrics.setGlobalMeterProvider(provider);
  return {
    handler: (request, response) => exporter.getMetricsRequestHandler(request, response),
    shutdown: () => provider.shutdown(),
  };
}
