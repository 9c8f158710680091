import { readPublicKey } from "@xcloudflow/chassis/key-files";
import { createAgeKeyEncryption } from "@xcloudflow/chassis/keyring-age";
import { openMeshBus } from "@xcloudflow/chassis/mesh-bus";
import { runService } from "@xcloudflow/chassis/mesh-process";
import { natsConfigShape } from "@xcloudflow/chassis/nats-connection";
import { createRemoteAuthenticate, createTokenClient } from "@xcloudflow/chassis/remote-authenticate";
import { databaseSettings, openServiceDatabase } from "@xcloudflow/database/service-database";
import { startServiceRelay } from "@xcloudflow/database/service-relay";
import { z } from "zod";
import { stateSchema } from "../migrations/migrations.ts";
import { createStateService } from "./state-service.ts";

await runService({
  name: "state",
  environment: process.env,
  calls: ["api"],
  settings: z.object({
    ...databaseSettings,
    ...natsConfigShape,
    XCF_STATE_AGE_KEY: z.string(),
    XCF_ATTEMPT_PUBLIC_KEY: z.string(),
  }),
  async start(member, settings, opened) {
    const attemptKey = await readPublicKey(settings.XCF_ATTEMPT_PUBLIC_KEY);
    const keyEncryption = await createAgeKeyEncryption(settings.XCF_STATE_AGE_KEY);
    const database = opened.adopt(await openServiceDatabase(member, settings, stateSchema), (it) => it.close());
    const mesh = opened.adopt(await openMeshBus(member, settings), (it) => it.close());
    const authenticate = createRemoteAuthenticate(createTokenClient(member.transport), "state");
    const state = createStateService({ ...member, database, keyEncryption, attemptKey, authenticate });
    opened.adopt(startServiceRelay(member, database, mesh), (it) => it.close());
    opened.defer(() => state.close());
    return {
      routes: [state.routes],
      fallback: (request, response) => void state.httpHandler(request, response),
    };
  },
});
