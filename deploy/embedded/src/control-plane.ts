import { generateKeyPairSync } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import type { ConnectRouter, Interceptor } from "@connectrpc/connect";
import { apiRoutes } from "@xcloudflow/api/api-rpc";
import { type ApiService, createApiService } from "@xcloudflow/api/api-service";
import type { ApiTables } from "@xcloudflow/api/migrations/api-tables";
import { createAuditService } from "@xcloudflow/audit/audit-service";
import { republishUnaudited } from "@xcloudflow/audit/outbox-history-store";
import { signAttemptToken } from "@xcloudflow/chassis/attempt-token";
import { createClients, type ServiceClients } from "@xcloudflow/chassis/clients";
import type { Clock } from "@xcloudflow/chassis/clock";
import { createIds } from "@xcloudflow/chassis/ids";
import { createAgeKeyEncryption } from "@xcloudflow/chassis/keyring-age";
import { loadOrCreateKeyPair, userConfigFolder } from "@xcloudflow/chassis/keys";
import { createLogger, type Logger } from "@xcloudflow/chassis/logger";
import { createMemoryBus } from "@xcloudflow/chassis/memory-bus";
import { createMemoryTransport, type Routes } from "@xcloudflow/chassis/memory-transport";
import { createSystemRandom } from "@xcloudflow/chassis/random";
import type { NodeHandler } from "@xcloudflow/chassis/serve";
import { internalInterceptors } from "@xcloudflow/chassis/server-interceptors";
import { observeOutbox } from "@xcloudflow/database/database-metrics";
import { migrate } from "@xcloudflow/database/migrate";
import { createPgliteDatabase } from "@xcloudflow/database/pglite-database";
import { SecretText } from "@xcloudflow/model/secret-text";
import { DEFAULT_TIMING } from "@xcloudflow/orchestrator/orchestrator-context";
import { observeOrchestrator } from "@xcloudflow/orchestrator/orchestrator-figures-store";
import { createOrchestrator } from "@xcloudflow/orchestrator/orchestrator-service";
import { createSqlOrchestratorStore } from "@xcloudflow/orchestrator/sql-orchestrator-store";
import { createPlanner } from "@xcloudflow/planner/planner-service";
import { registryTokenVariable } from "@xcloudflow/planner/registry-client";
import { createPolicyService } from "@xcloudflow/policy/policy-service";
import { OrchestratorService } from "@xcloudflow/proto/orchestrator/v1/orchestrator_pb";
import { PlannerService } from "@xcloudflow/proto/planner/v1/planner_pb";
import { RouterService } from "@xcloudflow/proto/router/v1/router_pb";
import { createRouter } from "@xcloudflow/router/router-service";
import { createRepositoryFiles } from "@xcloudflow/secrets/repository-files";
import { createSecretsService } from "@xcloudflow/secrets/secrets-service";
import { createStateService } from "@xcloudflow/state/state-service";
import { type InitdbCommand, runInitdb } from "./initdb-cli.ts";
import { startRelays } from "./relays.ts";
import { SCHEMAS } from "./schemas.ts";
import { serveStateBackend } from "./state-backend-server.ts";
import { TENANT } from "./tenant.ts";
import { chooseTool } from "./tool-choices.ts";
import { cacheHome, type Environment } from "./tool-places.ts";
import { startWorker } from "./workers.ts";

export interface EmbeddedOptions {
  /** The `.xcf` folder; the caller owns it. */
  readonly dir: string;
  readonly environment: Environment;
  readonly clock: Clock;
  readonly version: string;
  /** Makes a new database's files, so that this process need not hold what that takes. */
  readonly initdb: InitdbCommand;
}

/** All services and one worker in this process, talking over the in-memory transport. */
export interface Embedded {
  /** Every service, for whoever serves them further. */
  readonly services: readonly Routes[];
  readonly routes: (router: ConnectRouter) => void;
  readonly interceptors: readonly Interceptor[];
  readonly clients: ServiceClients;
  readonly api: ApiService;
  /** Terraform's state backend, for `xcf up` to serve on its own port. */
  readonly stateBackend: NodeHandler;
  readonly logger: Logger;
  isBusy(): boolean;
  close(): Promise<void>;
}

const BUSY_POLL_MS = 500;

/**
 * Composes the one-process mode: PGlite in `.xcf/db`, the in-process bus, every service, and a worker with the engines
 * that are found. Recovers what an earlier process left unfinished before it answers.
 */
export async function startEmbedded({ dir, environment, clock, version, initdb }: EmbeddedOptions): Promise<Embedded> {
  const random = createSystemRandom();
  const ids = createIds(clock, random);
  const logger = createLogger({
    level: environment.XCF_LOG === "debug" ? "debug" : "warn",
    now: () => clock.now(),
    write: (line) => void process.stderr.write(`${line}\n`),
  });
  const config = userConfigFolder(environment, environment.HOME ?? homedir());
  const cache = join(cacheHome(environment), "xcloudflow");
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const database = await createPgliteDatabase({
    directory: join(dir, "db"),
    initdb: (directory) => runInitdb(initdb, directory),
    clock,
    random,
  });
  await migrate(database, SCHEMAS);
  const bus = createMemoryBus({
    clock,
    onHandlerError: ({ subject }, error) => logger.error("an event's handler failed", { subject, error }),
  });

  const interceptorOptions = { logger, clock, newReference: () => ids.next("err") };
  const services: Routes[] = [];
  const register = (router: ConnectRouter): void => {
    for (const routes of services) routes(router);
  };
  const clients = createLateClients(() => createClients(createMemoryTransport([register], interceptorOptions)));

  // Attempts end with the process that signed them, so their key need not outlive it.
  const attempts = generateKeyPairSync("ed25519");
  const common = { database, clock, ids, logger };
  const apiContext = {
    ...common,
    database: database.withTables<ApiTables>(),
    clients,
    version,
    mode: "embedded",
  } as const;
  const api = createApiService(apiContext);
  const keyEncryption = await createAgeKeyEncryption(join(config, "age.key"));
  const state = createStateService({
    ...common,
    keyEncryption,
    attemptKey: attempts.publicKey,
    authenticate: api.authenticate,
  });
  const store = createSqlOrchestratorStore(database, clock, ids);
  const secrets = createSecretsService({
    ...common,
    attemptKey: attempts.publicKey,
    readVariable: (name) => environment[name],
    readFile: createRepositoryFiles(clients),
    sops: chooseTool("sops", environment),
    sopsAgeKeyFile: environment.SOPS_AGE_KEY_FILE,
    folder: tmpdir(),
  });
  const policy = createPolicyService({ ...common, opa: chooseTool("opa", environment), folder: tmpdir() });
  const audit = await createAuditService({
    ...common,
    bus,
    signingKey: await loadOrCreateKeyPair(config, "audit"),
    checkpointFolder: join(config, "checkpoints"),
  });
  const router = createRouter();
  const planner = createPlanner({
    router: clients.router,
    policy: clients.policy,
    secrets: clients.secrets,
    state: clients.state,
    cacheDirectory: join(cache, "modules"),
    transports: (environment.XCF_GIT_TRANSPORTS ?? "https,ssh").split(","),
    registries: {
      readToken: (host) => {
        const token = environment[registryTokenVariable(host)];
        return token === undefined || token === "" ? undefined : new SecretText(token);
      },
    },
  });
  const orchestrator = createOrchestrator({
    store,
    planner: clients.planner,
    policy: clients.policy,
    state: clients.state,
    secrets: clients.secrets,
    clock,
    ids,
    random,
    signAttempt: (claims, issuedAt, expiresAt) => signAttemptToken(attempts.privateKey, claims, issuedAt, expiresAt),
    timing: DEFAULT_TIMING,
    soleProcess: true,
    onError: (where, error) => logger.error("the orchestrator met an error", { where, error }),
  });
  services.push(
    apiRoutes(apiContext, api),
    (r) => void r.service(PlannerService, planner.rpc),
    policy.routes,
    (r) => void r.service(RouterService, router.rpc),
    (r) => void r.service(OrchestratorService, orchestrator.rpc),
    state.routes,
    secrets.routes,
    audit.routes,
  );

  const noteUnmeasured = (error: unknown): void => logger.warn("reading figures failed", { error });
  const sources = ["orchestrator", "state", "secrets", "policy", "api"];
  await republishUnaudited(database, sources);
  const stopObserving = [
    observeOrchestrator(database, () => clock.now(), noteUnmeasured),
    ...sources.map((source) => observeOutbox(database, source, noteUnmeasured)),
  ];
  const relays = startRelays(database, bus, clock, logger, sources);
  const backend = await serveStateBackend((request, response) => void state.httpHandler(request, response));
  await orchestrator.recover();
  const worker = await startWorker({
    dir,
    cache,
    environment,
    clients,
    clock,
    logger,
    stateHttpAddress: backend.address,
    tenant: TENANT,
  });

  let busy = false;
  let closed = false;
  let cancelPoll = clock.schedule(BUSY_POLL_MS, poll);
  function poll(): void {
    // A worker at work is answer enough.
    void (worker.busy > 0 ? Promise.resolve(true) : orchestrator.isBusy()).then(
      (answer) => {
        busy = answer;
        if (!closed) cancelPoll = clock.schedule(BUSY_POLL_MS, poll);
      },
      (error: unknown) => logger.error("asking whether runs are active failed", { error }),
    );
  }

  return {
    services,
    routes: register,
    interceptors: internalInterceptors(interceptorOptions),
    clients,
    api,
    stateBackend: (request, response) => void state.httpHandler(request, response),
    logger,
    isBusy: () => busy || worker.busy > 0,
    async close() {
      closed = true;
      cancelPoll();
      for (const stop of stopObserving) stop();
      await worker.close({ cancel: true });
      await orchestrator.close();
      planner.close();
      await policy.close();
      await backend.close();
      await relays.flush();
      await relays.close();
      await audit.close();
      await state.close();
      await bus.close();
      await database.close();
    },
  };
}

/** Services need each other's clients before all of them exist: the transport is made at the first call. */
function createLateClients(make: () => ServiceClients): ServiceClients {
  let made: ServiceClients | undefined;
  const all = (): ServiceClients => (made ??= make());
  const late = <K extends keyof ServiceClients>(name: K): ServiceClients[K] =>
    new Proxy({} as ServiceClients[K], {
      get: (_target, method, receiver) => Reflect.get(all()[name], method, receiver) as unknown,
    });
  return {
    planner: late("planner"),
    policy: late("policy"),
    router: late("router"),
    orchestrator: late("orchestrator"),
    state: late("state"),
    secrets: late("secrets"),
    audit: late("audit"),
  };
}
