import { createServer } from "node:http";
import { type ListenAddress, listen } from "./listen.ts";
import type { NodeHandler } from "./rpc-handler.ts";

export interface ProbeOptions {
  readonly host: string;
  readonly port: number;
  /** Why the process cannot take work, or `undefined` when it can. */
  readonly notReady: () => string | undefined;
  /** Prometheus text for `/metrics`. */
  readonly metrics?: NodeHandler;
}

export interface ProbeServer {
  readonly address: ListenAddress;
  close(): Promise<void>;
}

/**
 * `/livez`, `/readyz` and `/metrics` in clear text for kubelets and scrapers, which have no certificate of the mesh. They
 * tell nothing of any tenant.
 *
 * @throws {AddressUnavailableError} when the port is taken or the address is not this machine's.
 */
export async function serveProbes({ host, port, notReady, metrics }: ProbeOptions): Promise<ProbeServer> {
  const server = createServer((request, response) => {
    const [path] = (request.url ?? "").split("?");
    if (path === "/metrics" && metrics !== undefined) return metrics(request, response);
    const reason = path === "/readyz" ? notReady() : undefined;
    const known = path === "/livez" || path === "/readyz";
    const status = !known ? 404 : reason === undefined ? 200 : 503;
    response.writeHead(status, { "content-type": "text/plain; charset=utf-8" });
    response.end(`${known ? (reason ?? "ok") : "not found"}\n`);
  });
  const address = await listen(server, { host, port });
  return {
    address,
    async close() {
      const closed = Promise.withResolvers<void>();
      server.close(() => closed.resolve());
      server.closeAllConnections();
      await closed.promise;
    },
  };
}
