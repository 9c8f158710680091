import { basename } from "node:path";
import { SpanStatusCode } from "@opentelemetry/api";
import { currentTraceparent, inSpan } from "@xcloudflow/chassis/tracing";
import type { EngineCommand, EngineExit } from "./engine-process-cli.ts";
import { engineDuration } from "./runner-metrics.ts";

/** The first argument of an engine's command line is a verb; whatever else stands there may hold what is nobody's business. */
const VERB = /^[a-z][a-z-]*$/;

/**
 * One span a process of an engine. `run` is given the variables that let the engine, where it knows how to, go on with
 * the trace.
 */
export async function traceEngine(
  engine: string,
  { file, args }: EngineCommand,
  run: (environment: Readonly<Record<string, string>>) => Promise<EngineExit>,
): Promise<EngineExit> {
  const program = basename(file);
  const verb = args.find((word) => VERB.test(word)) ?? "";
  const attributes = { "process.executable.name": program, "xcf.engine": engine, "xcf.engine.verb": verb };
  return await inSpan(`${program} ${verb}`.trim(), { attributes }, async (span) => {
    const started = performance.now();
    const traceparent = currentTraceparent();
    const exit = await run(traceparent === undefined ? {} : { TRACEPARENT: traceparent });
    const outcome = exit.signal ?? String(exit.code);
    span.setAttribute("process.exit.code", exit.code ?? -1);
    if (exit.signal !== null) span.setStatus({ code: SpanStatusCode.ERROR, message: exit.signal });
    engineDuration.record((performance.now() - started) / 1_000, { engine, verb, exit: outcome });
    return exit;
  });
}
