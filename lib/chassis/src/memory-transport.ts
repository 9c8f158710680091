import { type ConnectRouter, createRouterTransport, type Transport } from "@connectrpc/connect";
import { type InterceptorOptions, internalInterceptors } from "./server-interceptors.ts";

/** Registers services on a router; each service's `-rpc.ts` makes one. */
export type Routes = (router: ConnectRouter) => void;

/** The embedded mode's mesh: services call each other in this process, through the same interceptors as over mTLS. */
export function createMemoryTransport(routes: readonly Routes[], options: InterceptorOptions): Transport {
  return createRouterTransport(
    (router) => {
      for (const register of routes) register(router);
    },
    { router: { interceptors: internalInterceptors(options) } },
  );
}
