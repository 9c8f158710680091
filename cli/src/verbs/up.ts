import { join } from "node:path";
import { startServer } from "@xcloudflow/embedded/server";
import { EXIT, type ExitCode } from "../exit-code.ts";
import { serverOutputSchema } from "../output/server-output.ts";
import { findRepository } from "../repository-cli.ts";
import { embeddedCaller } from "../session.ts";
import { type CommonOptions, type Surroundings, startSelf } from "../surroundings.ts";
import { printJson } from "../terminal.ts";
import { startOwnTelemetry } from "../verb-tracing.ts";

export interface UpOptions extends CommonOptions {
  readonly host: string;
  readonly grpcPort: number;
  readonly httpPort: number;
  readonly metricsPort?: number | undefined;
}

/** The embedded control plane as a server, until it is interrupted. */
export async function up(surroundings: Surroundings, options: UpOptions): Promise<ExitCode> {
  const { terminal, environment, clock, version, interrupted } = surroundings;
  const repository = await findRepository(surroundings.directory);
  const telemetry = await startOwnTelemetry(surroundings, "xcf-embedded", options.metricsPort !== undefined);
  const server = await startServer({
    dir: join(repository, ".xcf"),
    environment,
    clock,
    version,
    initdb: startSelf(surroundings, "initdb"),
    caller: await embeddedCaller(surroundings, repository),
    host: options.host,
    grpcPort: options.grpcPort,
    httpPort: options.httpPort,
    metrics:
      telemetry.metricsHandler === undefined
        ? undefined
        : { port: options.metricsPort ?? 0, handler: telemetry.metricsHandler },
  });
  const { metrics } = server;
  const addresses = {
    grpc: server.grpc,
    http: server.http,
    pid: process.pid,
    ...(metrics === undefined ? {} : { metrics }),
  };
  if (options.output === "json") printJson(terminal, serverOutputSchema, addresses);
  else {
    terminal.out(
      `gRPC    ${server.grpc}   (Connect and gRPC-web too)\nHTTP    ${server.http}   Connect-JSON, and the Terraform state backend at ${server.http}/terraform/default/<unit address>\nToken   ${server.tokenFile}   send it as "authorization: Bearer …"${metrics === undefined ? "" : `\nMetrics ${metrics}   for Prometheus, without a token`}\nStop with Ctrl-C.\n`,
    );
  }
  if (!interrupted.aborted)
    await Promise.race([
      new Promise((resolve) => interrupted.addEventListener("abort", resolve, { once: true })),
      server.left,
    ]);
  await server.close();
  await telemetry.shutdown();
  return EXIT.done;
}
