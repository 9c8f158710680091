import { readFile } from "node:fs/promises";
import { openMeshBus } from "@xcloudflow/chassis/mesh-bus";
import { runService } from "@xcloudflow/chassis/mesh-process";
import { listenAddress, placeList } from "@xcloudflow/chassis/mesh-settings";
import { natsConfigShape } from "@xcloudflow/chassis/nats-connection";
import { servePublic } from "@xcloudflow/chassis/serve-public";
import { edgeInterceptors } from "@xcloudflow/chassis/server-interceptors";
import { createStateProxy } from "@xcloudflow/chassis/state-proxy";
import { databaseSettings, openServiceDatabase } from "@xcloudflow/database/service-database";
import { startServiceRelay } from "@xcloudflow/database/service-relay";
import { z } from "zod";
import type { ApiTables } from "../migrations/api-tables.ts";
import { apiSchema } from "../migrations/migrations.ts";
import { keepAdminToken, readAdminToken } from "./admin-token.ts";
import type { ApiContext } from "./api-context.ts";
import { apiRoutes } from "./api-rpc.ts";
import { createApiService } from "./api-service.ts";
import { readIssuers } from "./issuer-settings.ts";
import { tokenRoutes } from "./token-rpc.ts";
import { createJwtAuthenticate } from "./verify-jwt.ts";

await runService({
  name: "api",
  environment: process.env,
  calls: ["orchestrator", "state", "policy", "audit"],
  settings: z.object({
    ...databaseSettings,
    ...natsConfigShape,
    XCF_PUBLIC_LISTEN: listenAddress,
    XCF_PUBLIC_TLS_CERT: z.string().optional(),
    XCF_PUBLIC_TLS_KEY: z.string().optional(),
    /** One, or one a tenant separated by commas. */
    XCF_ADMIN_TOKEN: z.string().optional(),
    XCF_ISSUERS: z.string().default("[]"),
    XCF_VERSION: z.string().default("0.1.0"),
    XCF_STATE_URL: placeList,
  }),
  async start(member, settings, opened) {
    const { clock, ids, logger } = member;
    const database = opened.adopt(await openServiceDatabase(member, settings, apiSchema), (it) => it.close());
    const mesh = opened.adopt(await openMeshBus(member, settings), (it) => it.close());
    const context: ApiContext = {
      database: database.withTables<ApiTables>(),
      clients: member.clients,
      clock,
      ids,
      logger,
      version: settings.XCF_VERSION,
      mode: "mesh",
      authenticateJwt: createJwtAuthenticate(readIssuers(settings.XCF_ISSUERS), { fetch, clock }),
    };
    const api = createApiService(context);
    for (const token of settings.XCF_ADMIN_TOKEN?.split(",") ?? [])
      await keepAdminToken(context, readAdminToken(token));
    opened.adopt(startServiceRelay(member, database, mesh), (it) => it.close());
    const states = opened.adopt(createStateProxy(settings.XCF_STATE_URL, member.tls, logger), (it) => it.close());
    const edge = await servePublic({
      routes: [apiRoutes(context, api)],
      interceptors: edgeInterceptors({ logger, clock, newReference: () => ids.next("err") }),
      authenticate: api.authenticate,
      listen: settings.XCF_PUBLIC_LISTEN,
      fallback: states.handler,
      ...(await publicTls(settings.XCF_PUBLIC_TLS_CERT, settings.XCF_PUBLIC_TLS_KEY)),
    });
    opened.defer(() => edge.close());
    logger.info("open to the public", { address: edge.address.url });
    return { routes: [tokenRoutes(api)] };
  },
});

async function publicTls(cert: string | undefined, key: string | undefined) {
  if (cert === undefined || key === undefined) return {};
  return { tls: { cert: await readFile(cert), key: await readFile(key) } };
}
