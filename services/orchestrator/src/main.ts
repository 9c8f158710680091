import { signAttemptToken } from "@xcloudflow/chassis/attempt-token";
import { readKeyPairFile } from "@xcloudflow/chassis/key-files";
import { openMeshBus } from "@xcloudflow/chassis/mesh-bus";
import { runService } from "@xcloudflow/chassis/mesh-process";
import { natsConfigShape } from "@xcloudflow/chassis/nats-connection";
import { databaseSettings, openServiceDatabase } from "@xcloudflow/database/service-database";
import { startServiceRelay } from "@xcloudflow/database/service-relay";
import { OrchestratorService } from "@xcloudflow/proto/orchestrator/v1/orchestrator_pb";
import { z } from "zod";
import { orchestratorSchema } from "../migrations/migrations.ts";
import { DEFAULT_TIMING } from "./orchestrator-context.ts";
import { createOrchestrator } from "./orchestrator-service.ts";
import { createSqlOrchestratorStore } from "./sql-orchestrator-store.ts";

await runService({
  name: "orchestrator",
  environment: process.env,
  calls: ["planner", "policy", "state", "secrets"],
  settings: z.object({
    ...databaseSettings,
    ...natsConfigShape,
    XCF_ATTEMPT_KEY: z.string(),
    XCF_IDENTITIES: z.enum(["mapped", "asserted"]).default("mapped"),
  }),
  async start(member, settings) {
    const { clients, clock, ids, random, logger } = member;
    const { privateKey } = await readKeyPairFile(settings.XCF_ATTEMPT_KEY);
    const database = await openServiceDatabase(member, settings, orchestratorSchema);
    const mesh = await openMeshBus(member, settings);
    const orchestrator = createOrchestrator({
      store: createSqlOrchestratorStore(database, clock, ids),
      planner: clients.planner,
      policy: clients.policy,
      state: clients.state,
      secrets: clients.secrets,
      clock,
      ids,
      random,
      signAttempt: (claims, issuedAt, expiresAt) => signAttemptToken(privateKey, claims, issuedAt, expiresAt),
      timing: DEFAULT_TIMING,
      identities: settings.XCF_IDENTITIES,
      soleProcess: false,
      onError: (where, error) => logger.warn("the orchestrator met an error", { where, error }),
    });
    const relay = startServiceRelay(member, database, mesh);
    await orchestrator.recover();
    return {
      routes: [(r) => void r.service(OrchestratorService, orchestrator.rpc)],
      async close() {
        await orchestrator.close();
        await relay.close();
        await mesh.close();
        await database.close();
      },
    };
  },
});
