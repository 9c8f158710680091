import { defineDuration } from "./instruments.ts";

/** Labels: `rpc_method` (`xcloudflow.planner.v1.PlannerService/Compile`), `code` (`Ok`, `NotFound`). */
export const rpcServerDuration = defineDuration({
  name: "xcf_rpc_server_duration_seconds",
  description: "How long calls took to answer; a stream, until it ended.",
});

/** Labels as of the server's; what the caller saw, connecting included. */
export const rpcClientDuration = defineDuration({
  name: "xcf_rpc_client_duration_seconds",
  description: "How long calls to other services took; a stream, until it ended.",
});
