import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ConnectRouter, Transport } from "@connectrpc/connect";
import { apiRoutes } from "@xcloudflow/api/api-rpc";
import { type ApiService, createApiService } from "@xcloudflow/api/api-service";
import type { ApiTables } from "@xcloudflow/api/migrations/api-tables";
import { tokenRoutes } from "@xcloudflow/api/token-rpc";
import { createAuditService } from "@xcloudflow/audit/audit-service";
import { createClients, type ServiceClients } from "@xcloudflow/chassis/clients";
import { createSystemClock } from "@xcloudflow/chassis/clock";
import { createIds } from "@xcloudflow/chassis/ids";
import { loadOrCreateKeyPair } from "@xcloudflow/chassis/keys";
import { silentLogger } from "@xcloudflow/chassis/logger";
import { createMemoryBus } from "@xcloudflow/chassis/memory-bus";
import { createMemoryTransport, type Routes } from "@xcloudflow/chassis/memory-transport";
import { createSystemRandom } from "@xcloudflow/chassis/random";
import type { OwnedDatabase } from "@xcloudflow/database/database";
import { createRelay } from "@xcloudflow/database/relay";
import { DEFAULT_TIMING } from "@xcloudflow/orchestrator/orchestrator-context";
import { createOrchestrator } from "@xcloudflow/orchestrator/orchestrator-service";
import type { OrchestratorStore } from "@xcloudflow/orchestrator/orchestrator-store";
import { createSqlOrchestratorStore } from "@xcloudflow/orchestrator/sql-orchestrator-store";
import { createPlanner } from "@xcloudflow/planner/planner-service";
import { createPolicyService } from "@xcloudflow/policy/policy-service";
import { OrchestratorService } from "@xcloudflow/proto/orchestrator/v1/orchestrator_pb";
import { PlannerService } from "@xcloudflow/proto/planner/v1/planner_pb";
import { RouterService } from "@xcloudflow/proto/router/v1/router_pb";
import { createRouter } from "@xcloudflow/router/router-service";
import { createSecretsService } from "@xcloudflow/secrets/secrets-service";
import { createStateFixture, type StateFixture } from "./state-fixture.ts";

/** Every service over one database, behind the internal transport; no worker. */
export interface AllServices {
  readonly transport: Transport;
  readonly clients: ServiceClients;
  readonly api: ApiService;
  readonly store: OrchestratorStore;
  readonly state: StateFixture;
  /** Every event so far is in the audit log. */
  settle(): Promise<void>;
  close(): Promise<void>;
}

export async function createAllServices(database: OwnedDatabase): Promise<AllServices> {
  const folder = await mkdtemp(join(tmpdir(), "xcf-all-"));
  const clock = createSystemClock();
  const random = createSystemRandom();
  const ids = createIds(clock, random);
  const logger = silentLogger;
  const bus = createMemoryBus({ clock, onHandlerError: () => undefined });
  const routes: Routes[] = [];
  const register = (router: ConnectRouter): void => {
    for (const route of routes) route(router);
  };
  const state = await createStateFixture(database);
  const common = { database, clock, ids, logger };
  const audit = await createAuditService({
    ...common,
    bus,
    signingKey: await loadOrCreateKeyPair(folder, "audit"),
    checkpointFolder: join(folder, "checkpoints"),
  });
  const policy = createPolicyService({ ...common, opa: { configured: undefined }, folder });
  const secrets = createSecretsService({
    ...common,
    attemptKey: state.attemptKeys.publicKey,
    readVariable: () => undefined,
    readFile: async () => undefined,
    sops: { configured: undefined },
    sopsAgeKeyFile: undefined,
    folder,
  });
  const store = createSqlOrchestratorStore(database, clock, ids);
  routes.push(state.instance.routes, audit.routes, policy.routes, secrets.routes, (router) =>
    router.service(RouterService, createRouter().rpc),
  );
  const options = { logger, clock, newReference: () => ids.next("err") };
  // What others ask of the orchestrator and the planner is nothing, so these two come last.
  const early = createClients(createMemoryTransport([register], options));
  const planner = createPlanner({ ...early, cacheDirectory: folder, transports: [] });
  routes.push((router) => router.service(PlannerService, planner.rpc));
  const behind = createClients(createMemoryTransport([register], options));
  const orchestrator = createOrchestrator({
    ...behind,
    store,
    clock,
    ids,
    random,
    signAttempt: () => Promise.reject(new TypeError("no worker is here")),
    timing: DEFAULT_TIMING,
    soleProcess: true,
    onError: () => undefined,
  });
  routes.push((router) => router.service(OrchestratorService, orchestrator.rpc));
  const clients = createClients(createMemoryTransport([register], options));
  const context = {
    ...common,
    database: database.withTables<ApiTables>(),
    clients,
    version: "1.2.3",
    mode: "mesh",
    rateLimit: { burst: 100_000, perSecond: 1 },
    tenantRateLimit: { burst: 100_000, perSecond: 1 },
  } as const;
  const api = createApiService(context);
  routes.push(apiRoutes(context, api), tokenRoutes(api));
  const relays = ["api", "orchestrator", "state", "secrets", "policy"].map((service) =>
    createRelay({ database, bus, clock, service, pollMs: 60_000, keepMs: 60_000, onError: () => undefined }),
  );
  return {
    transport: createMemoryTransport([register], options),
    clients,
    api,
    store,
    state,
    async settle() {
      await Promise.all(relays.map((relay) => relay.flush()));
    },
    async close() {
      await orchestrator.close();
      planner.close();
      await policy.close();
      await Promise.all(relays.map((relay) => relay.close()));
      await audit.close();
      await state.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
