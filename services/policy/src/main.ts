import { tmpdir } from "node:os";
import { openMeshBus } from "@xcloudflow/chassis/mesh-bus";
import { runService } from "@xcloudflow/chassis/mesh-process";
import { natsConfigShape } from "@xcloudflow/chassis/nats-connection";
import { databaseSettings, openServiceDatabase } from "@xcloudflow/database/service-database";
import { startServiceRelay } from "@xcloudflow/database/service-relay";
import { z } from "zod";
import { policySchema } from "../migrations/migrations.ts";
import { createPolicyService } from "./policy-service.ts";

await runService({
  name: "policy",
  environment: process.env,
  calls: [],
  settings: z.object({ ...databaseSettings, ...natsConfigShape, XCF_TOOL_OPA: z.string().optional() }),
  async start(member, settings) {
    const database = await openServiceDatabase(member, settings, policySchema);
    const mesh = await openMeshBus(member, settings);
    const opa = { configured: settings.XCF_TOOL_OPA, path: process.env.PATH };
    const policy = createPolicyService({ ...member, database, opa, folder: tmpdir() });
    const relay = startServiceRelay(member, database, mesh);
    return {
      routes: [policy.routes],
      async close() {
        await policy.close();
        await relay.close();
        await mesh.close();
        await database.close();
      },
    };
  },
});
