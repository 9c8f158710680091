import { tmpdir } from "node:os";
import { readPublicKey } from "@xcloudflow/chassis/key-files";
import { openMeshBus } from "@xcloudflow/chassis/mesh-bus";
import { runService } from "@xcloudflow/chassis/mesh-process";
import { natsConfigShape } from "@xcloudflow/chassis/nats-connection";
import { databaseSettings, openServiceDatabase } from "@xcloudflow/database/service-database";
import { startServiceRelay } from "@xcloudflow/database/service-relay";
import { z } from "zod";
import { secretsSchema } from "../migrations/migrations.ts";
import { createRepositoryFiles } from "./repository-files.ts";
import { createSecretsService } from "./secrets-service.ts";

/** What `secret://env/NAME` reads is set as `XCF_SECRET_NAME`, so that no setting of the process can be asked for. */
const SECRET_PREFIX = "XCF_SECRET_";

await runService({
  name: "secrets",
  environment: process.env,
  calls: ["orchestrator", "planner"],
  settings: z.object({
    ...databaseSettings,
    ...natsConfigShape,
    XCF_ATTEMPT_PUBLIC_KEY: z.string(),
    XCF_TOOL_SOPS: z.string().optional(),
    SOPS_AGE_KEY_FILE: z.string().optional(),
  }),
  async start(member, settings, opened) {
    const attemptKey = await readPublicKey(settings.XCF_ATTEMPT_PUBLIC_KEY);
    const database = opened.adopt(await openServiceDatabase(member, settings, secretsSchema), (it) => it.close());
    const mesh = opened.adopt(await openMeshBus(member, settings), (it) => it.close());
    const secrets = createSecretsService({
      ...member,
      database,
      attemptKey,
      readVariable: (name) => process.env[`${SECRET_PREFIX}${name}`],
      readFile: createRepositoryFiles(member.clients),
      sops: { configured: settings.XCF_TOOL_SOPS, path: process.env.PATH },
      sopsAgeKeyFile: settings.SOPS_AGE_KEY_FILE,
      folder: tmpdir(),
    });
    opened.adopt(startServiceRelay(member, database, mesh), (it) => it.close());
    return { routes: [secrets.routes] };
  },
});
