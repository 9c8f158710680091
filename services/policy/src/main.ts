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
  async start(member, settings, opened) {
    const database = opened.adopt(await openServiceDatabase(member, settings, policySchema), (it) => it.close());
    const mesh = opened.adopt(await openMeshBus(member, settings), (it) => it.close());
    const opa = { configured: settings.XCF_TOOL_OPA, path: process.env.PATH };
    const policy = createPolicyService({ ...member, database, opa, folder: tmpdir() });
    opened.adopt(startServiceRelay(member, database, mesh), (it) => it.close());
    opened.defer(() => policy.close());
    return { routes: [policy.routes] };
  },
});
