import { readKeyPairFile } from "@xcloudflow/chassis/key-files";
import { openMeshBus } from "@xcloudflow/chassis/mesh-bus";
import { runService } from "@xcloudflow/chassis/mesh-process";
import { natsConfigShape } from "@xcloudflow/chassis/nats-connection";
import { databaseSettings, openServiceDatabase } from "@xcloudflow/database/service-database";
import { z } from "zod";
import { auditSchema } from "../migrations/migrations.ts";
import { createAuditService } from "./audit-service.ts";

await runService({
  name: "audit",
  environment: process.env,
  calls: [],
  settings: z.object({
    ...databaseSettings,
    ...natsConfigShape,
    XCF_AUDIT_KEY: z.string(),
    /** Begins the name of every log: a host name one owns. */
    XCF_AUDIT_ORIGIN: z.string(),
    /** Keeps the newest checkpoint of each log, apart from the database. */
    XCF_AUDIT_CHECKPOINTS: z.string(),
  }),
  async start(member, settings, opened) {
    const signingKey = await readKeyPairFile(settings.XCF_AUDIT_KEY);
    const database = opened.adopt(await openServiceDatabase(member, settings, auditSchema), (it) => it.close());
    const mesh = opened.adopt(await openMeshBus(member, settings), (it) => it.close());
    const audit = await createAuditService({
      ...member,
      database,
      bus: mesh.bus,
      signingKey,
      checkpointFolder: settings.XCF_AUDIT_CHECKPOINTS,
      origin: settings.XCF_AUDIT_ORIGIN,
    });
    opened.defer(() => audit.close());
    return { routes: [audit.routes] };
  },
});
