import { createServer as createHttp1Server } from "node:http";
import { createServer as createHttp2Server } from "node:http2";
import { createServer, type Server, type Socket } from "node:net";
import { HTTP1_LIMITS } from "./http1-server.ts";
import { HTTP2_LIMITS, trackSessions } from "./http2-server.ts";
import type { AnyHandler } from "./rpc-handler.ts";

/** A server, and how connections that do nothing are told to leave. */
export interface DrainedServer {
  readonly server: Server;
  endIdle(): void;
}

/** How an HTTP/2 connection begins (RFC 9113, 3.4); no HTTP/1.1 request can begin so. */
const PREFACE = Buffer.from("PRI * HTTP/2.0");
/** So many bytes of it are enough to know: no method begins with `PRI `. */
const ENOUGH = 4;

/**
 * A server in clear text for HTTP/1.1 and HTTP/2 on one port: the first bytes of a connection say which it is.
 *
 * @param firstBytesMs how long a connection may take to say so; it is ended then.
 */
export function createEitherHttpServer(handler: AnyHandler, firstBytesMs: number): DrainedServer {
  const http2 = createHttp2Server(HTTP2_LIMITS, handler);
  const http1 = createHttp1Server(HTTP1_LIMITS, handler);
  const sessions = trackSessions(http2);
  const undecided = new Set<Socket>();
  // Connections are handed to it, and only a server that has begun to listen looks for requests that never end.
  http1.emit("listening");

  const server = createServer({ keepAlive: true }, (socket) => {
    let seen = Buffer.alloc(0);
    const tooSlow = setTimeout(() => socket.destroy(), firstBytesMs);
    const settle = (): void => {
      clearTimeout(tooSlow);
      undecided.delete(socket);
    };
    function look(): void {
      const more: unknown = socket.read();
      if (!Buffer.isBuffer(more)) return;
      seen = Buffer.concat([seen, more]);
      const beginning = seen.subarray(0, ENOUGH);
      const isHttp2 = PREFACE.subarray(0, beginning.length).equals(beginning);
      if (isHttp2 && beginning.length < ENOUGH) return;
      settle();
      socket.off("readable", look);
      socket.unshift(seen);
      (isHttp2 ? http2 : http1).emit("connection", socket);
    }
    undecided.add(socket);
    socket.on("error", () => socket.destroy());
    socket.once("close", settle);
    socket.on("readable", look);
  });
  return {
    server,
    endIdle() {
      // Takes no request any more, ends connections without one, and stops its looking.
      http1.close(() => undefined);
      for (const session of sessions) session.close();
      for (const socket of undecided) socket.destroy();
    },
  };
}
