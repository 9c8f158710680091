import { createServer, IncomingMessage, type Server, ServerResponse } from "node:http";
import { createServer as createHttp2Server, type Http2Server, type ServerHttp2Session } from "node:http2";
import type { DescService } from "@bufbuild/protobuf";
import type { ConnectRouter, Interceptor } from "@connectrpc/connect";
import { Code, ConnectError, createConnectRouter } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { type Authenticate, edgeAuthGate } from "./edge-auth.ts";
import { createHealthBoard, type HealthBoard } from "./health.ts";
import { type ListenAddress, listen } from "./listen.ts";
import type { Routes } from "./memory-transport.ts";
import { reflectionRoutes } from "./reflection.ts";

export type NodeHandler = (request: IncomingMessage, response: ServerResponse) => void;

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

/** A message of 64 MiB passes: engine states and plans are that large; nothing larger is read into memory. */
const MESSAGE_BYTES = 64 * 1024 * 1024;
const HEADER_BYTES = 32 * 1024;
const HEADERS_MS = 20_000;
const REQUEST_MS = 10 * 60_000;
const KEEP_ALIVE_MS = 75_000;
const STREAMS_PER_SESSION = 256;
/** Node refuses new streams of a session that buffers more; a few large messages at once must not lock a client out. */
const SESSION_MEGABYTES = 512;
const GRACE_MS = 5_000;
const HANG_UP_MS = 1_000;

/**
 * Serves a process's services to the outside.
 *
 * @throws {AddressUnavailableError} when a port is taken or the address is not this machine's; nothing listens then.
 */
export async function serveRoutes(options: ServeOptions): Promise<RunningServer> {
  const services = servicesOf(options.routes);
  const health = createHealthBoard(services);
  const shutdown = new AbortController();
  const adapter = (fallback?: NodeHandler): AnyHandler =>
    guarded(
      connectNodeAdapter({
        routes: (router) =>
          register(router, [
            ...options.routes,
            health.routes,
            reflectionRoutes([...services, ...servicesOf([health.routes])]),
          ]),
        interceptors: [...options.interceptors],
        requestGate: edgeAuthGate(options.authenticate),
        readMaxBytes: MESSAGE_BYTES,
        writeMaxBytes: MESSAGE_BYTES,
        shutdownSignal: shutdown.signal,
        ...(fallback === undefined ? {} : { fallback: (request, response) => passOn(fallback, request, response) }),
      }),
    );
  const http2 = createHttp2Server(
    {
      maxHeaderListPairs: 256,
      maxSessionMemory: SESSION_MEGABYTES,
      settings: { maxConcurrentStreams: STREAMS_PER_SESSION, maxHeaderListSize: HEADER_BYTES },
    },
    adapter(),
  );
  const http1 = createServer(
    {
      maxHeaderSize: HEADER_BYTES,
      headersTimeout: HEADERS_MS,
      requestTimeout: REQUEST_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
    },
    adapter(options.http.fallback),
  );
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

function register(router: ConnectRouter, routes: readonly Routes[]): void {
  for (const route of routes) route(router);
}

function servicesOf(routes: readonly Routes[]): DescService[] {
  const router = createConnectRouter();
  register(router, routes);
  return [...new Set(router.handlers.map(({ service }) => service))];
}

/** Connect's handler type: a request and a response of either HTTP version. */
type AnyHandler = ReturnType<typeof connectNodeAdapter>;
type AnyRequest = Parameters<AnyHandler>[0];
type AnyResponse = Parameters<AnyHandler>[1];

/**
 * A request line that is no URL makes the adapter throw outside any promise, which would end the process. A call that is
 * refused before its body has been read leaves the rest on the connection, where it would block the next call.
 */
function guarded(handler: AnyHandler): AnyHandler {
  return (request, response) => {
    const { socket } = request;
    if (response instanceof ServerResponse && request instanceof IncomingMessage) closeWhenUnread(request, response);
    response.once("finish", () => hangUp(request, socket));
    try {
      handler(request, response);
    } catch {
      if (!response.headersSent) response.writeHead(400);
      response.end();
    }
  };
}

/** Tells an HTTP/1.1 client not to send its next call on a connection that still holds the rest of this one. */
function closeWhenUnread(request: IncomingMessage, response: ServerResponse): void {
  const writeHead = response.writeHead.bind(response);
  const value = (...head: Parameters<typeof writeHead>): ServerResponse => {
    if (request.destroyed && !request.complete) response.shouldKeepAlive = false;
    return writeHead(...head);
  };
  Object.defineProperty(response, "writeHead", { value });
}

/** HTTP/2 resets the one stream by itself; with HTTP/1.1 the connection ends, once the client has had time to read. */
function hangUp(request: AnyRequest, socket: AnyRequest["socket"]): void {
  if (request.complete || !request.destroyed || request.httpVersionMajor > 1) return;
  socket.end();
  const cut = setTimeout(() => socket.destroy(), HANG_UP_MS);
  socket.once("close", () => clearTimeout(cut));
}

function passOn(fallback: NodeHandler, request: AnyRequest, response: AnyResponse): void {
  if (request instanceof IncomingMessage && response instanceof ServerResponse) {
    fallback(request, response);
  } else {
    response.writeHead(404);
    response.end();
  }
}

function trackSessions(server: Http2Server): ReadonlySet<ServerHttp2Session> {
  const sessions = new Set<ServerHttp2Session>();
  server.on("session", (session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
  });
  return sessions;
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
