import { createSecureServer } from "node:http2";
import { Code, ConnectError } from "@connectrpc/connect";
import { errorInterceptor } from "./error-interceptor.ts";
import { createHealthBoard, type HealthBoard } from "./health.ts";
import { HTTP2_LIMITS, trackSessions } from "./http2-server.ts";
import { type ListenAddress, listen } from "./listen.ts";
import { loggingInterceptor } from "./logging-interceptor.ts";
import type { Routes } from "./memory-transport.ts";
import { meshGate, peerContextValues } from "./mesh-peer.ts";
import { permissionInterceptor } from "./permission-interceptor.ts";
import { createRpcHandler, type NodeHandler, overHttp1, servicesOf } from "./rpc-handler.ts";
import type { InterceptorOptions } from "./server-interceptors.ts";
import type { TlsMaterial } from "./tls-files.ts";
import { serverTracingInterceptor } from "./tracing-interceptor.ts";
import { validateInterceptor } from "./validate-interceptor.ts";

export interface ServeMeshOptions extends InterceptorOptions {
  readonly routes: readonly Routes[];
  readonly tls: TlsMaterial;
  readonly trustDomain: string;
  readonly listen: { readonly host: string; readonly port: number };
  /** For HTTP/1.1 requests that are no RPC; their sender has a certificate of the mesh as well. */
  readonly fallback?: NodeHandler;
  /** How long `close` lets running calls end; milliseconds, default 5,000. */
  readonly graceMs?: number;
}

export interface MeshServer {
  readonly address: ListenAddress;
  readonly health: HealthBoard;
  /** Health goes to NOT_SERVING, streams end with UNAVAILABLE, running calls may end, then connections are cut. */
  close(): Promise<void>;
}

const GRACE_MS = 5_000;

/**
 * Serves a process's services to the other members of the mesh: HTTP/2 (and 1.1) over TLS in which both sides show a
 * certificate of the mesh's own authority.
 *
 * @throws {AddressUnavailableError} when the port is taken or the address is not this machine's.
 */
export async function serveMesh(options: ServeMeshOptions): Promise<MeshServer> {
  const { routes, tls, trustDomain, logger, clock, newReference, fallback, graceMs = GRACE_MS } = options;
  const health = createHealthBoard(servicesOf(routes));
  const shutdown = new AbortController();
  const server = createSecureServer(
    { ...HTTP2_LIMITS, ...tls, allowHTTP1: true, requestCert: true, rejectUnauthorized: true, minVersion: "TLSv1.3" },
    createRpcHandler({
      routes,
      health,
      interceptors: [
        serverTracingInterceptor({ roots: false }),
        loggingInterceptor(logger, clock),
        errorInterceptor({ logger, newReference }),
        permissionInterceptor(),
        validateInterceptor(),
      ],
      gate: meshGate(trustDomain),
      contextValues: peerContextValues,
      shutdownSignal: shutdown.signal,
      ...(fallback === undefined ? {} : { fallback: overHttp1(fallback) }),
    }),
  );
  server.on("tlsClientError", (error) => logger.warn("a connection was refused", { error: error.message }));
  const sessions = trackSessions(server);
  const sockets = new Set<{ destroy(): void }>();
  server.on("secureConnection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  const address = await listen(server, options.listen);
  let closing: Promise<void> | undefined;
  async function close(): Promise<void> {
    health.shutDown();
    shutdown.abort(new ConnectError("the server is shutting down", Code.Unavailable));
    const ended = new Promise((resolve) => server.close(resolve));
    for (const session of sessions) session.close();
    const cut = setTimeout(() => {
      for (const socket of sockets) socket.destroy();
    }, graceMs);
    await ended;
    clearTimeout(cut);
  }
  return { address, health, close: () => (closing ??= close()) };
}
