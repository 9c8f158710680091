import { createServer as createHttp1Server } from "node:http";
import { createServer as createHttp2Server, createSecureServer } from "node:http2";
import { createServer as createSocketServer, type Server, type Socket } from "node:net";
import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import { type Authenticate, edgeAuthGate } from "./edge-auth.ts";
import { createHealthBoard } from "./health.ts";
import { HTTP2_LIMITS } from "./http2-server.ts";
import { type ListenAddress, listen } from "./listen.ts";
import type { Routes } from "./memory-transport.ts";
import { type AnyHandler, createRpcHandler, type NodeHandler, servicesOf } from "./rpc-handler.ts";

export interface ServePublicOptions {
  readonly routes: readonly Routes[];
  /** `edgeInterceptors(…)`, outermost first. */
  readonly interceptors: readonly Interceptor[];
  readonly authenticate: Authenticate;
  readonly listen: { readonly host: string; readonly port: number };
  /** The public certificate; without it, whoever stands in front ends TLS. */
  readonly tls?: { readonly cert: Buffer; readonly key: Buffer };
  /** HTTP/1.1 requests that are no RPC. */
  readonly fallback: NodeHandler;
  readonly graceMs?: number;
}

export interface PublicServer {
  readonly address: ListenAddress;
  close(): Promise<void>;
}

const GRACE_MS = 5_000;
/** How an HTTP/2 connection begins (RFC 9113, 3.4); no HTTP/1.1 request can begin so. */
const PREFACE = Buffer.from("PRI * HTTP/2.0");

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
  const server = tls === undefined ? createClearServer(handler) : createTlsServer(tls, handler);
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
    const cut = setTimeout(() => {
      for (const socket of sockets) socket.destroy();
    }, graceMs);
    await ended;
    clearTimeout(cut);
  }
  return { address, close: () => (closing ??= close()) };
}

function createTlsServer(tls: { readonly cert: Buffer; readonly key: Buffer }, handler: AnyHandler): Server {
  return createSecureServer({ ...HTTP2_LIMITS, ...tls, allowHTTP1: true, minVersion: "TLSv1.2" }, handler);
}

/** Clear text says with its first bytes which HTTP it is. */
function createClearServer(handler: AnyHandler): Server {
  const http2 = createHttp2Server(HTTP2_LIMITS, handler);
  const http1 = createHttp1Server(handler);
  return createSocketServer((socket) => {
    socket.on("error", () => socket.destroy());
    socket.once("readable", () => {
      const first: unknown = socket.read();
      if (!Buffer.isBuffer(first)) return;
      socket.unshift(first);
      const length = Math.min(first.length, PREFACE.length);
      const server = first.subarray(0, length).equals(PREFACE.subarray(0, length)) ? http2 : http1;
      server.emit("connection", socket);
    });
  });
}
