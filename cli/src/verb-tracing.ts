import { startTelemetry, type Telemetry } from "@xcloudflow/chassis/telemetry";
import { inSpan } from "@xcloudflow/chassis/tracing";
import type { Action } from "./commands/verb-options.ts";
import type { ExitCode } from "./exit-code.ts";
import type { Surroundings } from "./surroundings.ts";

/** They serve others' traces and have none of their own. */
const SERVERS: ReadonlySet<string> = new Set(["up", "owner", "initdb"]);

/** What this process tells of itself, by the variables every OpenTelemetry program reads. */
export async function startOwnTelemetry(
  { environment, version }: Surroundings,
  service: string,
  prometheus = false,
): Promise<Telemetry> {
  const ratio = Number(environment.OTEL_TRACES_SAMPLER_ARG ?? "1");
  return startTelemetry({
    service,
    version,
    otlpEndpoint: environment.OTEL_EXPORTER_OTLP_ENDPOINT,
    prometheus,
    sampleRatio: ratio >= 0 && ratio <= 1 ? ratio : 1,
  });
}

/** Does what a verb says as the root of a trace, where traces are wanted. */
export async function traceVerb(surroundings: Surroundings, verb: string, action: Action): Promise<ExitCode> {
  const endpoint = surroundings.environment.OTEL_EXPORTER_OTLP_ENDPOINT;
  if (endpoint === undefined || endpoint === "" || SERVERS.has(verb)) return action(surroundings);
  const telemetry = await startOwnTelemetry(surroundings, "xcf");
  try {
    return await inSpan(`xcf ${verb}`, { attributes: { "xcf.verb": verb } }, async (span) => {
      const code = await action(surroundings);
      span.setAttribute("process.exit.code", code);
      return code;
    });
  } finally {
    await telemetry.shutdown();
  }
}
