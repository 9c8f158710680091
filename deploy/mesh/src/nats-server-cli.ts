import { writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import type { Clock } from "@xcloudflow/chassis/clock";
import type { MeshFolder } from "./mesh-folder.ts";
import { type SupervisedProcess, superviseProcess } from "./supervised-process-cli.ts";

export interface NatsServerOptions {
  readonly binary: string;
  readonly folder: MeshFolder;
  readonly port: number;
  readonly clock: Clock;
  readonly log: string;
}

/** A real nats-server with JetStream on loopback, over TLS, its store below the mesh's folder. */
export async function startNatsServer({
  binary,
  folder,
  port,
  clock,
  log,
}: NatsServerOptions): Promise<SupervisedProcess> {
  const place = await folder.folder("nats");
  const { cert, key } = folder.certificateOf("nats");
  const configuration = {
    listen: `127.0.0.1:${port}`,
    server_name: "xcloudflow",
    jetstream: { store_dir: join(place, "store"), sync_interval: "always" },
    tls: { cert_file: cert, key_file: key, ca_file: folder.caFile },
    authorization: { users: [{ user: "xcf", password: folder.secrets.nats }] },
  };
  const path = join(place, "nats.json");
  await writeFile(path, JSON.stringify(configuration, undefined, 2), { mode: 0o600 });
  const server = superviseProcess(
    {
      name: "nats",
      file: binary,
      args: ["--config", path],
      env: { PATH: "/usr/bin:/bin" },
      cwd: place,
      log,
      isReady: () => accepts(port),
    },
    clock,
  );
  await server.ready();
  return server;
}

async function accepts(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect({ host: "127.0.0.1", port });
  socket.once("data", () => resolve(true));
  socket.once("error", () => resolve(false));
  try {
    return await promise;
  } finally {
    socket.destroy();
  }
}
