import { createServer } from "node:http";
import { hostname } from "node:os";
import { listen } from "@xcloudflow/chassis/listen";
import { runRunner } from "@xcloudflow/chassis/mesh-process";
import { count, placeList, seconds } from "@xcloudflow/chassis/mesh-settings";
import { connectNats, natsConfigShape } from "@xcloudflow/chassis/nats-connection";
import { DEFAULT_STREAM_SETTINGS, taskStream } from "@xcloudflow/chassis/nats-streams";
import { createNatsTaskPrompts } from "@xcloudflow/chassis/nats-task-prompts";
import { createStateProxy } from "@xcloudflow/chassis/state-proxy";
import { engineEnvironment } from "@xcloudflow/runner-host/engine-environment";
import { ISOLATION_LEVELS } from "@xcloudflow/runner-host/isolation";
import { createIsolation, egressList } from "@xcloudflow/runner-host/isolation-settings";
import { asRunner } from "@xcloudflow/runner-host/worker-clients";
import { createWorker } from "@xcloudflow/runner-host/worker-loop";
import { z } from "zod";
import { createTerraformEngine, terraformPlaces } from "./terraform-engine.ts";

await runRunner({
  name: "runner-terraform",
  environment: process.env,
  calls: ["orchestrator", "state", "secrets"],
  settings: z.object({
    ...natsConfigShape,
    XCF_POOL: z.string(),
    XCF_TENANT: z.string().default("*"),
    XCF_CONCURRENCY: count.default(2),
    /** Ends after so many tasks: 1 for a pod a task. */
    XCF_TASK_LIMIT: count.optional(),
    /** How long running tasks may go on after SIGTERM before they are handed back. */
    XCF_DRAIN_SECONDS: seconds.default(900),
    XCF_ISOLATION: z.enum(ISOLATION_LEVELS).default("none"),
    /** First of the users that engines get under `user`: nobody else's. */
    XCF_ISOLATION_FIRST_UID: count.default(900_000_000),
    /** Where engines may go under `network`: `host:port`, `*.domain:port`, separated by commas. */
    XCF_EGRESS: egressList.default([]),
    XCF_SCRATCH: z.string(),
    XCF_CACHE: z.string(),
    XCF_TOOL_TERRAFORM: z.string().optional(),
    XCF_TOOL_TOFU: z.string().optional(),
    XCF_TERRAFORM_CLI_CONFIG: z.string().optional(),
    XCF_STATE_URL: placeList,
  }),
  async start({ clients, clock, logger, tls, instance }, settings, opened) {
    const environment = engineEnvironment(process.env);
    const { XCF_TOOL_TERRAFORM: terraform, XCF_TOOL_TOFU: tofu, XCF_TERRAFORM_CLI_CONFIG: cliConfigFile } = settings;
    const binary = terraform ?? tofu;
    const engine = await createTerraformEngine({
      ...(binary === undefined ? {} : { binary }),
      alternatives: { ...(terraform === undefined ? {} : { terraform }), ...(tofu === undefined ? {} : { tofu }) },
      ...(cliConfigFile === undefined ? {} : { cliConfigFile }),
      cacheRoot: settings.XCF_CACHE,
      environment,
      clock,
    });
    const states = opened.adopt(createStateProxy(settings.XCF_STATE_URL, tls, logger), (it) => it.close());
    const stateServer = createServer(states.handler);
    const { url } = await listen(stateServer, { host: "127.0.0.1", port: 0 });
    opened.defer(() => {
      stateServer.closeAllConnections();
      stateServer.close();
    });
    const connection = await connectNats({ config: settings, name: instance, clock, logger });
    opened.defer(() => connection.close());
    const prompts = await createNatsTaskPrompts({
      connection,
      stream: taskStream(DEFAULT_STREAM_SETTINGS),
      engines: [engine.name],
      pool: settings.XCF_POOL,
      clock,
      logger,
    });
    const isolation = await createIsolation({
      ...terraformPlaces(settings.XCF_CACHE, cliConfigFile),
      level: settings.XCF_ISOLATION,
      egress: settings.XCF_EGRESS,
      firstUid: settings.XCF_ISOLATION_FIRST_UID,
      scratchRoot: settings.XCF_SCRATCH,
      programs: engine.programs ?? [],
      stateHttpAddress: url,
      environment,
      clock,
      logger,
    });
    opened.defer(() => isolation?.close());
    const worker = createWorker({
      clientsOf: (tenant) => asRunner(clients, `runner:${settings.XCF_POOL}`, tenant),
      tenant: settings.XCF_TENANT,
      name: `${settings.XCF_POOL}-${hostname()}-${process.pid}`,
      engines: [engine],
      pool: settings.XCF_POOL,
      prompts,
      clock,
      logger,
      scratchRoot: settings.XCF_SCRATCH,
      cacheRoot: settings.XCF_CACHE,
      stateHttpAddress: url,
      concurrency: settings.XCF_CONCURRENCY,
      ...(settings.XCF_TASK_LIMIT === undefined ? {} : { taskLimit: settings.XCF_TASK_LIMIT }),
      environment,
      ...(isolation === undefined ? {} : { isolation: isolation.engines }),
    });
    opened.defer(() => worker.close({ drainMilliseconds: settings.XCF_DRAIN_SECONDS * 1000 }));
    opened.defer(() => prompts.close());
    return { ended: worker.ended };
  },
});
