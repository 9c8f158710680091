import { runService } from "@xcloudflow/chassis/mesh-process";
import { RouterService } from "@xcloudflow/proto/router/v1/router_pb";
import { z } from "zod";
import { createRouter } from "./router-service.ts";

await runService({
  name: "router",
  environment: process.env,
  calls: [],
  settings: z.object({}),
  async start() {
    const router = createRouter();
    return { routes: [(r) => void r.service(RouterService, router.rpc)] };
  },
});
