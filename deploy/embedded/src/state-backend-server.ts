import { createServer, type IncomingMessage, type ServerResponse } from "node:http";

export interface StateBackendServer {
  /** `http://127.0.0.1:<port>` */
  readonly address: string;
  close(): Promise<void>;
}

/** Serves Terraform's state backend to this process's own engines, on loopback only; every request needs a token. */
export async function serveStateBackend(
  handler: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<StateBackendServer> {
  const server = createServer(handler);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  server.listen(0, "127.0.0.1", resolve);
  await promise;
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the state backend listens nowhere");
  return {
    address: `http://127.0.0.1:${address.port}`,
    async close() {
      const closed = Promise.withResolvers<void>();
      server.close(() => closed.resolve());
      server.closeAllConnections();
      await closed.promise;
    },
  };
}
