import type { Client } from "@connectrpc/connect";
import type { OrchestratorService } from "@xcloudflow/proto/orchestrator/v1/orchestrator_pb";
import type { SecretsService } from "@xcloudflow/proto/secrets/v1/secrets_pb";
import type { StateService } from "@xcloudflow/proto/state/v1/state_pb";

export type OrchestratorClient = Pick<Client<typeof OrchestratorService>, "claimTask" | "heartbeat" | "reportTask">;
export type StateClient = Pick<
  Client<typeof StateService>,
  "getArtefact" | "putArtefact" | "resolveOutputs" | "putOutputs" | "recoverState" | "redactionKey"
>;
export type SecretsClient = Pick<Client<typeof SecretsService>, "resolve">;

/** Generated clients, already authenticated as a runner: in memory in embedded mode, gRPC in a mesh. */
export interface WorkerClients {
  readonly orchestrator: OrchestratorClient;
  readonly state: StateClient;
  readonly secrets: SecretsClient;
}
