import { createServer } from "node:http";
import { listen } from "@xcloudflow/chassis/listen";
import type { NodeHandler } from "@xcloudflow/chassis/serve";

/** @throws {AddressUnavailableError} when the port is taken. */
export async function serveMetrics(
  host: string,
  port: number,
  handler: NodeHandler,
): Promise<{ readonly url: string; close(): Promise<void> }> {
  const server = createServer((request, response) => {
    if (request.method === "GET" && request.url?.split("?")[0] === "/metrics") return handler(request, response);
    response.writeHead(404);
    response.end();
  });
  const { url } = await listen(server, { host, port });
  return {
    url: `${url}/metrics`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
