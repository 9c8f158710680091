import { createSecureServer } from "node:http2";
import type { Socket } from "node:net";
import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import { type Authenticate, edgeAuthGate } from "./edge-auth.ts";
import { createEitherHttpServer, type DrainedServer } from "./either-http-server.ts";
import { createHealthBoard } from "./health.ts";
import { HTTP2_LIMITS, trackSessions } from "./http2-server.ts";
import { type ListenAddress, listen } from "./listen.ts";
import type { Routes } from "./memory-transport.ts";
import { type AnyHandler, createRpcHandler, servicesOf } from "./rpc-handler.ts";

export interface ServePublicOptions {
  readonly routes: readonly Routes[];
  /** `edgeInterceptors(…)`, outermost first. */
  readonly interceptors: readonly Interceptor[];
  readonly authenticate: Authenticate;
  readonly listen: { readonly host: string; readonly port: number };
  /** The public certificate; without it, whoever stands in front ends TLS. */
  readonly tls?: { readonly cert: Buffer; readonly key: Buffer };
  /** Requests of either HTTP version that are no RPC. */
  readonly fallback: AnyHandler;
  /** How long `close` lets running calls end; milliseconds, default 5,000. */
  readonly graceMs?: number;
  /** How long a connection in clear text may take to say which HTTP it speaks; milliseconds, default 20,000. */
  readonly firstBytesMs?: number;
}

export interface PublicServer {
  readonly address: ListenAddress;
  close(): Promise<void>;
}

const GRACE_MS = 5_000;
const FIRST_BYTES_MS = 20_000;

/**
 * The mesh's public edge: gRPC, Connect, Connect-JSON and Terraform's state backend on one port, over HTTP/2 and 1.1.
 *
 * @throws {AddressUnavailableError} when the port is taken or the address is not this machine's.
 */
export async function servePublic(options: ServePublicOptions): Promise<PublicServer> {
  const { routes, interceptors, authenticate, tls, fallback, graceMs = GRACE_MS } = options;
  const health = createHealthBoard(servicesOf(routes));
  const shutdown = new AbortController();
  const handler = createRpcHandler({
    routes,
    health,
    interceptors,
    gate: edgeAuthGate(authenticate),
    shutdownSignal: shutdown.signal,
    fallback,
  });
  const { server, endIdle } =
    tls === undefined
      ? createEitherHttpServer(handler, options.firstBytesMs ?? FIRST_BYTES_MS)
      : createTlsServer(tls, handler);
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  const address = await listen(server, options.listen);
  let closing: Promise<void> | undefined;
  async function close(): Promise<void> {
    health.shutDown();
    shutdown.abort(new ConnectError("the server is shutting down", Code.Unavailable));
    const ended = new Promise((resolve) => server.close(resolve));
    endIdle();
    const cut = setTimeout(() => {
      for (const socket of sockets) socket.destroy();
    }, graceMs);
    await ended;
    clearTimeout(cut);
  }
  return { address, close: () => (closing ??= close()) };
}

function createTlsServer(tls: { readonly cert: Buffer; readonly key: Buffer }, handler: AnyHandler): DrainedServer {
  const options = { ...HTTP2_LIMITS, ...tls, allowHTTP1: true, minVersion: "TLSv1.2", keepAlive: true } as const;
  const server = createSecureServer(options, handler);
  const sessions = trackSessions(server);
  return {
    server,
    endIdle() {
      for (const session of sessions) session.close();
    },
  };
}
