import { CodedError } from "@xcloudflow/model/coded-error";
import { z } from "zod";
import { createSystemClock, pause } from "./clock.ts";
import { readConfig, readConfigs } from "./config.ts";
import type { Routes } from "./memory-transport.ts";
import { createMemberLogger, createMeshMember, type MeshMember } from "./mesh-member.ts";
import { memberSettings, placeSettings, placesOf, runnerSettings } from "./mesh-settings.ts";
import type { MeshService } from "./peer-identity.ts";
import { serveProbes } from "./probe-server.ts";
import type { NodeHandler } from "./rpc-handler.ts";
import { serveMesh } from "./serve-mesh.ts";
import { startTelemetry, type Telemetry } from "./telemetry.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** A running part of the mesh: what a process does besides listening. */
export interface MeshPart {
  /** What it serves to other members; nothing in a runner. */
  readonly routes?: readonly Routes[];
  readonly fallback?: NodeHandler;
  /** Why it cannot take work at this moment. */
  readonly notReady?: () => string | undefined;
  /** Resolves when it has nothing more to do: the process then ends as if it had been asked to. */
  readonly ended?: Promise<void>;
}

export interface MeshProcessOptions<Own> {
  readonly name: string;
  /** `process.env`, which only a `main.ts` may read. */
  readonly environment: Environment;
  /** Services it calls: their `XCF_<SERVICE>_URL` must be set. */
  readonly calls: readonly MeshService[];
  /** Settings of this process's own, an object of variables by their names. */
  readonly settings: z.ZodType<Own>;
  /**
   * Connects and composes. Tried again while what it throws is `unavailable` (a database that is not there yet, a schema
   * of another version): the process stays up, says so once and is not ready.
   *
   * What is opened is put on `opened`, which is closed, last first, when the start fails and tried again, and at the end,
   * once nothing new can come in.
   */
  readonly start: (member: MeshMember, settings: Own, opened: AsyncDisposableStack) => Promise<MeshPart>;
}

/** As sysexits.h: the configuration is wrong, and starting again will not help. */
const EXIT_CONFIG = 78;
const LONGEST_PAUSE_MS = 10_000;
/** Of the product, as traces and metrics name it. */
const VERSION = "0.1.0";

/** Runs a service of the mesh until SIGTERM or SIGINT; then drains, and the process ends. */
export async function runService<Own>(options: MeshProcessOptions<Own>): Promise<void> {
  const { environment } = options;
  await run(options, async (member, part) => {
    const { XCF_LISTEN, XCF_TRUST_DOMAIN } = readConfig(z.object(memberSettings), environment);
    const server = await serveMesh({
      routes: part.routes ?? [],
      tls: member.tls,
      trustDomain: XCF_TRUST_DOMAIN,
      listen: XCF_LISTEN,
      logger: member.logger,
      clock: member.clock,
      newReference: () => member.ids.next("err"),
      ...(part.fallback === undefined ? {} : { fallback: part.fallback }),
    });
    member.logger.info("serving", { address: server.address.url.replace("http:", "https:") });
    return () => server.close();
  });
}

/** Runs a worker of the mesh: a client of services that serves nothing but its probes. */
export async function runRunner<Own>(options: MeshProcessOptions<Own>): Promise<void> {
  await run(options, async (member) => {
    member.logger.info("working");
    return async () => undefined;
  });
}

type Serve = (member: MeshMember, part: MeshPart) => Promise<() => Promise<void>>;

async function run<Own>(options: MeshProcessOptions<Own>, serve: Serve): Promise<void> {
  const clock = createSystemClock();
  let logger = createMemberLogger(options.name, clock, "info");
  const stopping = untilStopped();
  let reason: string | undefined = "starting";
  let part: MeshPart | undefined;
  let telemetry: Telemetry | undefined;
  try {
    const { own, settings, places } = readSettings(options);
    if (settings.XCF_PARENT_PIPE === "1") stopWithParent();
    const member = await createMeshMember(options.name, settings, places);
    logger = member.logger;
    telemetry = await startTelemetry({
      service: options.name,
      version: VERSION,
      instance: member.instance,
      otlpEndpoint: settings.OTEL_EXPORTER_OTLP_ENDPOINT,
      prometheus: settings.XCF_PROBE_LISTEN !== undefined,
    });
    const { metricsHandler } = telemetry;
    const probes =
      settings.XCF_PROBE_LISTEN === undefined
        ? undefined
        : await serveProbes({
            ...settings.XCF_PROBE_LISTEN,
            notReady: () => reason ?? part?.notReady?.(),
            ...(metricsHandler === undefined ? {} : { metrics: metricsHandler }),
          });
    const started = await untilStarted(
      (opened) => options.start(member, own, opened),
      member,
      stopping,
      (why) => {
        reason = why;
      },
    );
    if (started !== undefined) {
      part = started.part;
      const stopServing = await serve(member, part);
      reason = undefined;
      await (part.ended === undefined ? stopping : Promise.race([stopping, part.ended]));
      reason = "draining";
      logger.info("draining");
      await stopServing();
      await started.opened.disposeAsync();
    }
    await probes?.close();
    await telemetry.shutdown();
    logger.info("ended");
    process.exit(0);
  } catch (error) {
    logger.error("the process cannot go on", { error: describe(error) });
    await telemetry?.shutdown();
    process.exit(error instanceof CodedError && error.category === "invalid" ? EXIT_CONFIG : 1);
  }
}

/** @throws {ConfigInvalidError} with every wrong setting at once, the process's own among them. */
function readSettings<Own>({ environment, settings: own, calls, name }: MeshProcessOptions<Own>) {
  const common = name.startsWith("runner-") ? z.object(runnerSettings) : z.object(memberSettings);
  const [a, b, c] = readConfigs(environment, common, z.object(placeSettings(calls)), own);
  return { settings: a, places: placesOf(b), own: c };
}

/** `undefined` when the process was stopped before it had started. */
async function untilStarted(
  start: (opened: AsyncDisposableStack) => Promise<MeshPart>,
  { logger, clock }: MeshMember,
  stopping: Promise<unknown>,
  tell: (reason: string) => void,
): Promise<{ readonly part: MeshPart; readonly opened: AsyncDisposableStack } | undefined> {
  let told = "";
  let stopped = false;
  void stopping.then(() => {
    stopped = true;
  });
  for (let tries = 0; !stopped; tries += 1) {
    const opened = new AsyncDisposableStack();
    try {
      return { part: await start(opened), opened };
    } catch (error) {
      await opened.disposeAsync();
      if (!(error instanceof CodedError) || error.category !== "unavailable") throw error;
      tell(error.message);
      if (error.message !== told) logger.error("waiting to start", { error: describe(error) });
      told = error.message;
      await Promise.race([pause(clock, Math.min(LONGEST_PAUSE_MS, 100 * 2 ** tries)), stopping]);
    }
  }
  return undefined;
}

async function untilStopped(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve());
  await promise;
}

/** A supervisor that was killed takes its processes along: each holds the other end of a pipe. */
function stopWithParent(): void {
  process.stdin.resume();
  process.stdin.once("end", () => process.exit(1));
  process.stdin.once("error", () => process.exit(1));
}

/** The sentence and its code; what is not of ours keeps its stack. */
function describe(error: unknown): unknown {
  if (!(error instanceof CodedError)) return error;
  const { code, what, where, hint } = error;
  return { code, what, where, hint, cause: error.cause instanceof Error ? error.cause.message : undefined };
}
