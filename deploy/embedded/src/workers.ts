import { hostname } from "node:os";
import { join } from "node:path";
import type { ServiceClients } from "@xcloudflow/chassis/clients";
import type { Clock } from "@xcloudflow/chassis/clock";
import type { Logger } from "@xcloudflow/chassis/logger";
import type { Engine } from "@xcloudflow/runner-host/engine";
import { engineEnvironment } from "@xcloudflow/runner-host/engine-environment";
import { EngineMissingError } from "@xcloudflow/runner-host/engine-errors";
import { createMissingEngine } from "@xcloudflow/runner-host/missing-engine";
import { asRunner } from "@xcloudflow/runner-host/worker-clients";
import { createWorker, type Worker } from "@xcloudflow/runner-host/worker-loop";
import { createTerraformEngine } from "@xcloudflow/runner-terraform/terraform-engine";
import { type Environment, findTool } from "./tool-places.ts";

export interface WorkerSettings {
  readonly dir: string;
  readonly cache: string;
  readonly environment: Environment;
  readonly clients: ServiceClients;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly stateHttpAddress: string;
  readonly tenant: string;
}

/** Plans and applies at a time: engines wait for clouds most of the time, so more than there are cores. */
const CONCURRENCY = 4;

/** The one worker of the embedded mode, with every engine that is found on this machine. */
export async function startWorker(settings: WorkerSettings): Promise<Worker> {
  const { dir, cache, environment, clock, logger } = settings;
  const engines = await findEngines(settings);
  return createWorker({
    clientsOf: (tenant) => asRunner(settings.clients, "runner:embedded", tenant),
    tenant: settings.tenant,
    name: `embedded-${hostname()}-${process.pid}`,
    engines,
    clock,
    logger,
    scratchRoot: join(dir, "scratch"),
    cacheRoot: join(cache, "runner"),
    stateHttpAddress: settings.stateHttpAddress,
    concurrency: Number(environment.XCF_CONCURRENCY ?? CONCURRENCY),
    environment: engineEnvironment(environment),
  });
}

async function findEngines({ cache, environment, clock, logger }: WorkerSettings): Promise<Engine[]> {
  const terraform = findTool("terraform", environment);
  const tofu = findTool("tofu", environment);
  const binary = terraform.path ?? tofu.path;
  const cliConfigFile = environment.XCF_TERRAFORM_CLI_CONFIG;
  try {
    const engine = await createTerraformEngine({
      ...(binary === undefined ? {} : { binary }),
      alternatives: {
        ...(terraform.path === undefined ? {} : { terraform: terraform.path }),
        ...(tofu.path === undefined ? {} : { tofu: tofu.path }),
      },
      ...(cliConfigFile === undefined || cliConfigFile === "" ? {} : { cliConfigFile }),
      cacheRoot: join(cache, "runner"),
      environment: engineEnvironment(environment),
      clock,
    });
    return [engine];
  } catch (error) {
    if (!(error instanceof EngineMissingError)) throw error;
    // Verbs that need no engine still work; a plan says what is missing.
    logger.warn("engine missing", { engine: "terraform", error: error.message });
    return [createMissingEngine("terraform", error.hint ?? "`xcf doctor` says how to get it")];
  }
}
