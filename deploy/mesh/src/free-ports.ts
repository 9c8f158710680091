import { createServer, type Server } from "node:net";
import { listen } from "@xcloudflow/chassis/listen";

/** So many ports of the loopback interface that nobody listens on; held together, so that none comes twice. */
export async function takeFreePorts(count: number): Promise<number[]> {
  const servers: Server[] = Array.from({ length: count }, () => createServer());
  const addresses = await Promise.all(servers.map((server) => listen(server, { host: "127.0.0.1", port: 0 })));
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return addresses.map(({ port }) => port);
}
