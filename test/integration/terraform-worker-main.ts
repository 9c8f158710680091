import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { createSystemClock } from "@xcloudflow/chassis/clock";
import { silentLogger } from "@xcloudflow/chassis/logger";
import { OrchestratorService } from "@xcloudflow/proto/orchestrator/v1/orchestrator_pb";
import { SecretsService } from "@xcloudflow/proto/secrets/v1/secrets_pb";
import { StateService } from "@xcloudflow/proto/state/v1/state_pb";
import { engineEnvironment } from "@xcloudflow/runner-host/engine-environment";
import { createWorker } from "@xcloudflow/runner-host/worker-loop";
import { createTerraformEngine } from "@xcloudflow/runner-terraform/terraform-engine";
import { z } from "zod";

/** A worker in a process of its own, to be killed by tests. */
const settings = z.object({ XCF_RPC: z.string(), XCF_STATE: z.string(), XCF_FOLDER: z.string() }).parse(process.env);
const transport = createConnectTransport({ baseUrl: settings.XCF_RPC, httpVersion: "1.1" });
const environment = engineEnvironment(process.env);
const clock = createSystemClock();
const clients = {
  orchestrator: createClient(OrchestratorService, transport),
  state: createClient(StateService, transport),
  secrets: createClient(SecretsService, transport),
};
createWorker({
  clientsOf: () => clients,
  tenant: "default",
  name: "worker-to-be-killed",
  engines: [await createTerraformEngine({ cacheRoot: `${settings.XCF_FOLDER}/cache`, environment, clock })],
  clock,
  logger: silentLogger,
  scratchRoot: `${settings.XCF_FOLDER}/scratch`,
  cacheRoot: `${settings.XCF_FOLDER}/cache`,
  stateHttpAddress: settings.XCF_STATE,
  concurrency: 1,
  environment,
  tickMilliseconds: 50,
});
