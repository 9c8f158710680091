import type { Http2SecureServer, Http2Server, ServerHttp2Session } from "node:http2";

/** Limits of every HTTP/2 server here. */
export const HTTP2_LIMITS = {
  maxHeaderListPairs: 256,
  /** Megabytes: Node refuses new streams of a session that buffers more; a few large messages at once must not lock a client out. */
  maxSessionMemory: 512,
  settings: { maxConcurrentStreams: 256, maxHeaderListSize: 32 * 1024 },
};

/** Sessions that are open, to be ended when the server closes: Node itself waits for clients that never leave. */
export function trackSessions(server: Http2Server | Http2SecureServer): ReadonlySet<ServerHttp2Session> {
  const sessions = new Set<ServerHttp2Session>();
  server.on("session", (session: ServerHttp2Session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
  });
  return sessions;
}
