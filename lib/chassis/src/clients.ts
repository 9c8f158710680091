import type { DescService } from "@bufbuild/protobuf";
import { type CallOptions, type Client, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { ApiService } from "@xcloudflow/proto/api/v1/api_pb";
import { AuditService } from "@xcloudflow/proto/audit/v1/audit_pb";
import { OrchestratorService } from "@xcloudflow/proto/orchestrator/v1/orchestrator_pb";
import { PlannerService } from "@xcloudflow/proto/planner/v1/planner_pb";
import { PolicyService } from "@xcloudflow/proto/policy/v1/policy_pb";
import { RouterService } from "@xcloudflow/proto/router/v1/router_pb";
import { SecretsService } from "@xcloudflow/proto/secrets/v1/secrets_pb";
import { StateService } from "@xcloudflow/proto/state/v1/state_pb";
import { fromConnectError } from "./connect-errors.ts";
import { traceTransport } from "./tracing-interceptor.ts";

/** How services reach each other. Calls are made with `as(caller)`; they throw `CodedError`s, never transport errors. */
export interface ServiceClients {
  readonly planner: Client<typeof PlannerService>;
  readonly policy: Client<typeof PolicyService>;
  readonly router: Client<typeof RouterService>;
  readonly orchestrator: Client<typeof OrchestratorService>;
  readonly state: Client<typeof StateService>;
  readonly secrets: Client<typeof SecretsService>;
  readonly audit: Client<typeof AuditService>;
}

export function createClients(transport: Transport): ServiceClients {
  return {
    planner: createCodedClient(PlannerService, transport),
    policy: createCodedClient(PolicyService, transport),
    router: createCodedClient(RouterService, transport),
    orchestrator: createCodedClient(OrchestratorService, transport),
    state: createCodedClient(StateService, transport),
    secrets: createCodedClient(SecretsService, transport),
    audit: createCodedClient(AuditService, transport),
  };
}

/** The public edge, for the CLI and other clients outside the mesh. */
export function createApiClient(transport: Transport): Client<typeof ApiService> {
  return createCodedClient(ApiService, transport);
}

/**
 * A Connect client that throws the error the other side raised, and that cancels a stream when its reader stops reading
 * (Connect's own goes on receiving until somebody aborts it).
 */
export function createCodedClient<S extends DescService>(service: S, transport: Transport): Client<S> {
  return new Proxy(createClient(service, traceTransport(transport)), {
    get(client, name, receiver) {
      const call: unknown = Reflect.get(client, name, receiver);
      if (typeof call !== "function") return call;
      const streams = service.methods.some(
        ({ localName, methodKind }) =>
          localName === name && methodKind.endsWith("_streaming") && methodKind !== "client_streaming",
      );
      return (request: unknown, options: CallOptions = {}): unknown => {
        if (streams)
          return readUntilLeft(
            (signal) => Reflect.apply(call, client, [request, { ...options, signal }]),
            options.signal,
          );
        const answer: Promise<unknown> = Reflect.apply(call, client, [request, options]);
        return answer.catch(rethrow);
      };
    },
  });
}

async function* readUntilLeft(
  open: (signal: AbortSignal) => AsyncIterable<unknown>,
  outer: AbortSignal | undefined,
): AsyncGenerator {
  const left = new AbortController();
  try {
    yield* iterate(open(outer === undefined ? left.signal : AbortSignal.any([outer, left.signal])));
  } catch (reason) {
    rethrow(reason);
  } finally {
    left.abort();
  }
}

/** Without handing `return` on: Connect's iterables have none. */
async function* iterate(messages: AsyncIterable<unknown>): AsyncGenerator {
  for await (const message of messages) yield message;
}

function rethrow(reason: unknown): never {
  throw reason instanceof ConnectError ? fromConnectError(reason) : reason;
}
