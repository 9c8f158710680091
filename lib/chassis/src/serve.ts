import { createServer, type Server } from "node:http";
import { createServer as createHttp2Server, type Http2Server, type ServerHttp2Session } from "node:http2";
import type { Interceptor } from "@connectrpc/connect";
import { Code, ConnectError } from "@connectrpc/connect";
import { type Authenticate, edgeAuthGate } from "./edge-auth.ts";
import { createHealthBoard, type HealthBoard } from "./health.ts";
import { HTTP1_LIMITS } from "./http1-server.ts";
import { HTTP2_LIMITS, trackSessions } from "./http2-server.ts";
import { type ListenAddress, listen } from "./listen.ts";
import type { Routes } from "./memory-transport.ts";
import { type AnyHandler, createRpcHandler, type NodeHandler, overHttp1, servicesOf } from "./rpc-handler.ts";

export type { NodeHandler } from "./rpc-handler.ts";

export interface ServeOptions {
  /** Services to serve. Health and reflection are added. */
  readonly routes: readonly Routes[];
  /** `edgeInterceptors(…)`, outermost first. */
  readonly interceptors: readonly Interceptor[];
  readonly authenticate: Authenticate;
  /** Cleartext HTTP/2 for gRPC (Connect and gRPC-web work there too). Port 0 takes a free one. */
  readonly grpc: { readonly host: string; readonly port: number };
  /** HTTP/1.1 for Connect, Connect-JSON and gRPC-web; what is no RPC goes to `fallback`. */
  readonly http: { readonly host: string; readonly port: number; readonly fallback?: NodeHandler };
  /** How long `close` lets running calls end; milliseconds, default 5,000. */
  readonly graceMs?: number;
}

export interface RunningServer {
  readonly grpc: ListenAddress;
  readonly http: ListenAddress;
  readonly health: HealthBoard;
  /** Health goes to NOT_SERVING, streams end with UNAVAILABLE, running calls may end, then connections are cut. */
  close(): Promise<void>;
}

const GRACE_MS = 5_000;

/**
 * Serves a process's services to the outside.
 *
 * @throws {AddressUnavailableError} when a port is taken or the address is not this machine's; nothing listens then.
 */
export async function serveRoutes(options: ServeOptions): Promise<RunningServer> {
  const health = createHealthBoard(servicesOf(options.routes));
  const shutdown = new AbortController();
  const handler = (fallback?: NodeHandler): AnyHandler =>
    createRpcHandler({
      routes: options.routes,
      health,
      interceptors: options.interceptors,
      gate: edgeAuthGate(options.authenticate),
      shutdownSignal: shutdown.signal,
      ...(fallback === undefined ? {} : { fallback: overHttp1(fallback) }),
    });
  const http2 = createHttp2Server(HTTP2_LIMITS, handler());
  const http1 = createServer(HTTP1_LIMITS, handler(options.http.fallback));
  const sessions = trackSessions(http2);
  const grpc = await listen(http2, options.grpc);
  let http: ListenAddress;
  try {
    http = await listen(http1, options.http);
  } catch (error) {
    http2.close();
    throw error;
  }
  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    health.shutDown();
    shutdown.abort(new ConnectError("the server is shutting down", Code.Unavailable));
    await closeServers(http1, http2, sessions, options.graceMs ?? GRACE_MS);
  };
  return { grpc, http, health, close: () => (closing ??= close()) };
}

async function closeServers(
  http1: Server,
  http2: Http2Server,
  sessions: ReadonlySet<ServerHttp2Session>,
  graceMs: number,
): Promise<void> {
  const ended = Promise.all([
    new Promise((resolve) => http1.close(resolve)),
    new Promise((resolve) => http2.close(resolve)),
  ]);
  http1.closeIdleConnections();
  for (const session of sessions) session.close();
  const cut = setTimeout(() => {
    http1.closeAllConnections();
    for (const session of sessions) session.destroy();
  }, graceMs);
  await ended;
  clearTimeout(cut);
}
