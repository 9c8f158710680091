import { IncomingMessage, ServerResponse } from "node:http";
import type { DescService } from "@bufbuild/protobuf";
import type { ConnectRouter, ContextValues, Interceptor } from "@connectrpc/connect";
import { createConnectRouter } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import type { RequestGate } from "./edge-auth.ts";
import type { HealthBoard } from "./health.ts";
import type { Routes } from "./memory-transport.ts";
import { reflectionRoutes } from "./reflection.ts";

export type NodeHandler = (request: IncomingMessage, response: ServerResponse) => void;

/** Connect's handler type: a request and a response of either HTTP version. */
export type AnyHandler = ReturnType<typeof connectNodeAdapter>;
export type AnyRequest = Parameters<AnyHandler>[0];
export type AnyResponse = Parameters<AnyHandler>[1];

export interface RpcHandlerOptions {
  /** Services to serve. Health and reflection are added. */
  readonly routes: readonly Routes[];
  readonly health: HealthBoard;
  /** Outermost first. */
  readonly interceptors: readonly Interceptor[];
  /** Runs when a call's headers are there, before its body is read. */
  readonly gate: RequestGate;
  /** What the connection tells about its other end, for the gate. */
  readonly contextValues?: (request: AnyRequest) => ContextValues;
  /** Ends streams when it is aborted. */
  readonly shutdownSignal: AbortSignal;
  /** For requests that are no RPC. */
  readonly fallback?: AnyHandler;
}

/** A message of 64 MiB passes: engine states and plans are that large; nothing larger is read into memory. */
export const MESSAGE_BYTES = 64 * 1024 * 1024;
const HANG_UP_MS = 1_000;

/** One request handler for gRPC, gRPC-web and Connect, as the edge and the mesh serve them. */
export function createRpcHandler(options: RpcHandlerOptions): AnyHandler {
  const { routes, health, interceptors, gate, contextValues, shutdownSignal, fallback } = options;
  const reflected = reflectionRoutes([...servicesOf(routes), ...servicesOf([health.routes])]);
  return guarded(
    connectNodeAdapter({
      routes: (router) => register(router, [...routes, health.routes, reflected]),
      interceptors: [...interceptors],
      requestGate: gate,
      readMaxBytes: MESSAGE_BYTES,
      writeMaxBytes: MESSAGE_BYTES,
      shutdownSignal,
      ...(contextValues === undefined ? {} : { contextValues }),
      ...(fallback === undefined ? {} : { fallback }),
    }),
  );
}

/** The services that routes register. */
export function servicesOf(routes: readonly Routes[]): DescService[] {
  const router = createConnectRouter();
  register(router, routes);
  return [...new Set(router.handlers.map(({ service }) => service))];
}

function register(router: ConnectRouter, routes: readonly Routes[]): void {
  for (const route of routes) route(router);
}

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

/** A handler of plain HTTP/1.1 where requests of both versions come in; over HTTP/2 there is nothing then. */
export function overHttp1(handler: NodeHandler): AnyHandler {
  return (request, response) => {
    if (request instanceof IncomingMessage && response instanceof ServerResponse) {
      handler(request, response);
    } else {
      response.writeHead(404);
      response.end();
    }
  };
}
