import type { CallOptions } from "@connectrpc/connect";
import { as, type Caller } from "@xcloudflow/chassis/caller";
import type { ServiceClients } from "@xcloudflow/chassis/clients";
import type { WorkerClients } from "@xcloudflow/runner-host/worker-clients";

/** A worker's clients: every call is made as a runner of the tenant. */
export function callerClients(clients: ServiceClients, tenant: string): WorkerClients {
  const runner: Caller = { tenant, subject: "runner:embedded", groups: [], roles: ["runner"], assurance: "service" };
  const call = as(runner);
  const with_ = (options?: CallOptions): CallOptions => ({ ...options, ...call });
  const { orchestrator, state, secrets } = clients;
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
