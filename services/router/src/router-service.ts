import type { ServiceImpl } from "@connectrpc/connect";
import type { RouterService } from "@xcloudflow/proto/router/v1/router_pb";
import { createRouterRpc } from "./router-rpc.ts";

export interface Router {
  readonly rpc: ServiceImpl<typeof RouterService>;
}

/** Composes the router. It owns nothing and starts nothing: the decision is a pure function of the request. */
export function createRouter(): Router {
  return { rpc: createRouterRpc() };
}
