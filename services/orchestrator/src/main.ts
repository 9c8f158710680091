import { signAttemptToken } from "@xcloudflow/chassis/attempt-token";
import { decodeEvent } from "@xcloudflow/chassis/event";
import { readKeyPairFile } from "@xcloudflow/chassis/key-files";
import { openMeshBus } from "@xcloudflow/chassis/mesh-bus";
import { runService } from "@xcloudflow/chassis/mesh-process";
import { natsConfigShape } from "@xcloudflow/chassis/nats-connection";
import { DEFAULT_STREAM_SETTINGS, taskStream } from "@xcloudflow/chassis/nats-streams";
import { createNatsTaskAnnouncer } from "@xcloudflow/chassis/nats-task-prompts";
import { databaseSettings, openServiceDatabase } from "@xcloudflow/database/service-database";
import { startServiceRelay } from "@xcloudflow/database/service-relay";
import { OrchestratorService } from "@xcloudflow/proto/orchestrator/v1/orchestrator_pb";
import { z } from "zod";
import { orchestratorSchema } from "../migrations/migrations.ts";
import { observeOrchestrator } from "./orchestrator-figures-store.ts";
import { createOrchestrator } from "./orchestrator-service.ts";
import { createSqlOrchestratorStore } from "./sql-orchestrator-store.ts";
import { createTaskAnnouncements } from "./task-announcements.ts";
import { timingOf, timingSettings } from "./timing-settings.ts";

/** How late a task is announced whose wake-up was lost. */
const ANNOUNCE_MS = 5_000;

await runService({
  name: "orchestrator",
  environment: process.env,
  calls: ["planner", "policy", "state", "secrets"],
  settings: z.object({
    ...databaseSettings,
    ...natsConfigShape,
    ...timingSettings,
    XCF_ATTEMPT_KEY: z.string(),
    XCF_IDENTITIES: z.enum(["mapped", "asserted"]).default("mapped"),
  }),
  async start(member, settings, opened) {
    const { clients, clock, ids, random, logger } = member;
    const { privateKey } = await readKeyPairFile(settings.XCF_ATTEMPT_KEY);
    const database = opened.adopt(await openServiceDatabase(member, settings, orchestratorSchema), (it) => it.close());
    const mesh = opened.adopt(await openMeshBus(member, settings), (it) => it.close());
    const store = createSqlOrchestratorStore(database, clock, ids);
    const announcer = await createNatsTaskAnnouncer({
      connection: mesh.connection,
      stream: taskStream(DEFAULT_STREAM_SETTINGS),
      clock,
      logger,
      onLost: () => announcements.again(),
    });
    opened.defer(() => announcer.close());
    const announcements = createTaskAnnouncements({
      store,
      announcer,
      clock,
      period: ANNOUNCE_MS,
      onError: (error) => logger.warn("announcing tasks failed", { error }),
    });
    opened.defer(() => announcements.close());
    opened.adopt(startServiceRelay(member, database, mesh), (it) => it.close());
    const orchestrator = createOrchestrator({
      store,
      planner: clients.planner,
      policy: clients.policy,
      state: clients.state,
      secrets: clients.secrets,
      clock,
      ids,
      random,
      signAttempt: (claims, issuedAt, expiresAt) => signAttemptToken(privateKey, claims, issuedAt, expiresAt),
      timing: timingOf(settings),
      identities: settings.XCF_IDENTITIES,
      soleProcess: false,
      onOffer: announcements.wake,
      onError: (where, error) => logger.warn("the orchestrator met an error", { where, error }),
    });
    opened.defer(() => orchestrator.close());
    const hearing = await mesh.bus.subscribe("xcf.event.*.orchestrator.>", {}, async ({ data, subject }) =>
      orchestrator.heard(decodeEvent(data, subject)),
    );
    opened.defer(() => hearing.unsubscribe());
    const stopObserving = observeOrchestrator(
      database,
      () => clock.now(),
      (error) => logger.warn("reading figures failed", { error }),
    );
    opened.defer(stopObserving);
    await orchestrator.recover();
    return { routes: [(r) => void r.service(OrchestratorService, orchestrator.rpc)] };
  },
});
