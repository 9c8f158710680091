import type { ConnectRouter } from "@connectrpc/connect";
import { answerCaller } from "@xcloudflow/chassis/remote-authenticate";
import { TokenService } from "@xcloudflow/proto/api/v1/token_pb";
import type { ApiService } from "./api-service.ts";

/** Registers what peers inside the mesh ask about tokens. Never on the public edge. */
export function tokenRoutes(service: Pick<ApiService, "authenticate">): (router: ConnectRouter) => void {
  return (router) => {
    router.service(TokenService, {
      authenticate: async ({ token }) => answerCaller(await service.authenticate(token)),
    });
  };
}
