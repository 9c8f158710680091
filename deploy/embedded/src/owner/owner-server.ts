import { chmodSync } from "node:fs";
import { rm } from "node:fs/promises";
import { createServer, type ServerHttp2Session } from "node:http2";
import { Code, ConnectError, type ConnectRouter, type Interceptor } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { IDENTITY_PATH, LEAVE_PATH, type OwnerIdentity } from "./owner-protocol.ts";

export interface OwnerServerOptions {
  readonly identity: OwnerIdentity;
  readonly routes: (router: ConnectRouter) => void;
  readonly interceptors: readonly Interceptor[];
  /** Called after every arrival and departure of a client. */
  readonly onClients: (count: number) => void;
  /** Asked to make room for another version by one of `clients`; true when it will. */
  readonly onLeave: (clients: number) => boolean;
}

export interface OwnerServer {
  clients(): number;
  /** Takes no new client, ends streams, lets running calls end for a while, then cuts the connections. */
  close(): Promise<void>;
}

/** The API's limit: a plan or an engine's state can be that large. */
const MESSAGE_BYTES = 64 * 1024 * 1024;
const GRACE_MS = 2_000;

/** Serves the control plane on the socket in `identity`, which only this user can open. */
export async function serveOwnerSocket({
  identity,
  routes,
  interceptors,
  onClients,
  onLeave,
}: OwnerServerOptions): Promise<OwnerServer> {
  const shutdown = new AbortController();
  const sessions = new Set<ServerHttp2Session>();
  const server = createServer(
    connectNodeAdapter({
      routes,
      interceptors: [...interceptors],
      readMaxBytes: MESSAGE_BYTES,
      writeMaxBytes: MESSAGE_BYTES,
      shutdownSignal: shutdown.signal,
      fallback(request, response) {
        const { status, body } = answer(request.method, request.url, identity, () => onLeave(sessions.size));
        response.statusCode = status;
        response.setHeader("content-type", "application/json");
        response.end(JSON.stringify(body));
      },
    }),
  );
  server.on("session", (session) => {
    if (shutdown.signal.aborted) return session.destroy();
    sessions.add(session);
    session.once("close", () => {
      sessions.delete(session);
      onClients(sessions.size);
    });
    // A client that is killed is a client that has left, not a fault of the owner's.
    session.on("error", () => session.destroy());
    onClients(sessions.size);
  });
  // Whoever left it is dead: the caller holds the lock.
  await rm(identity.socket, { force: true });
  const { promise: listening, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  const mask = process.umask(0o177);
  try {
    server.listen(identity.socket, resolve);
  } finally {
    process.umask(mask);
  }
  await listening;
  chmodSync(identity.socket, 0o600);
  return {
    clients: () => sessions.size,
    async close() {
      shutdown.abort(new ConnectError("the control plane is leaving", Code.Unavailable));
      const closed = new Promise((done) => server.close(done));
      for (const session of sessions) session.close();
      const cut = setTimeout(() => {
        for (const session of sessions) session.destroy();
      }, GRACE_MS);
      await closed;
      clearTimeout(cut);
    },
  };
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

function answer(
  method: string | undefined,
  path: string | undefined,
  identity: OwnerIdentity,
  leave: () => boolean,
): Answer {
  if (method === "GET" && path === IDENTITY_PATH) return { status: 200, body: identity };
  if (method === "POST" && path === LEAVE_PATH) return { status: 200, body: { leaving: leave() } };
  return { status: 404, body: { error: "no such path" } };
}
