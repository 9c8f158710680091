import type { CallOptions, Client } from "@connectrpc/connect";
import { as, type Caller } from "@xcloudflow/chassis/caller";
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

/** The same clients, each call made as a runner of the tenant. */
export function asRunner(
  { orchestrator, state, secrets }: WorkerClients,
  subject: string,
  tenant: string,
): WorkerClients {
  const runner: Caller = { tenant, subject, groups: [], roles: ["runner"], assurance: "service" };
  const call = as(runner);
  const with_ = (options?: CallOptions): CallOptions => ({ ...options, ...call });
  return {
    orchestrator: {
      claimTask: (request, options) => orchestrator.claimTask(request, with_(options)),
      heartbeat: (request, options) => orchestrator.heartbeat(request, with_(options)),
      reportTask: (request, options) => orchestrator.reportTask(request, with_(options)),
    },
    state: {
      getArtefact: (request, options) => state.getArtefact(request, with_(options)),
      putArtefact: (request, options) => state.putArtefact(request, with_(options)),
      resolveOutputs: (request, options) => state.resolveOutputs(request, with_(options)),
      putOutputs: (request, options) => state.putOutputs(request, with_(options)),
      recoverState: (request, options) => state.recoverState(request, with_(options)),
      redactionKey: (request, options) => state.redactionKey(request, with_(options)),
    },
    secrets: { resolve: (request, options) => secrets.resolve(request, with_(options)) },
  };
}
