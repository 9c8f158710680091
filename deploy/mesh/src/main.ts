// The whole mesh on this machine, without containers: PostgreSQL, NATS, every service and two workers of each pool, as
// processes of their own on loopback. Ctrl-C ends it; its folder keeps everything for the next time.
//
//   node deploy/mesh/src/main.ts [FOLDER] [REPOSITORY …]

import { rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { createSystemClock } from "@xcloudflow/chassis/clock";
import { startMesh } from "./mesh.ts";
import { POOLS } from "./mesh-plan.ts";
import { findMeshTools } from "./mesh-tools.ts";

const PUBLIC_PORT = 7443;
const sources = resolve(import.meta.dirname, "../../..");
/** Root's home cannot be passed through by the user that PostgreSQL runs as. */
const home = process.getuid?.() === 0 ? "/var/lib/xcloudflow" : join(homedir(), ".local", "share", "xcloudflow");
const [folder = join(home, "mesh"), ...repositories] = process.argv.slice(2);
const interrupted = new Promise<void>((done) => {
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => done());
});

const started = performance.now();
process.stdout.write(`Starting the mesh in ${folder}\n`);
const mesh = await startMesh({
  plan: { replicas: Number(process.env.XCF_MESH_REPLICAS ?? 1), workers: 2, pools: POOLS },
  folder: resolve(folder),
  sources,
  node: process.execPath,
  tools: findMeshTools(process.env),
  repositories: repositories.length > 0 ? repositories.map((path) => resolve(path)) : [process.cwd(), homedir()],
  publicPort: PUBLIC_PORT,
  clock: createSystemClock(),
});
const tokenFile = join(mesh.folder.path, "admin.token");
await writeFile(tokenFile, `${mesh.adminToken}\n`, { mode: 0o600 });
const seconds = ((performance.now() - started) / 1000).toFixed(1);
process.stdout.write(
  `${mesh.processes.size + 2} processes are ready after ${seconds} s. In another terminal:

   export XCF_SERVER=${mesh.urls[0]} XCF_TOKEN=$(cat ${tokenFile})
   xcf plan --env dev

Logs are in ${join(mesh.folder.path, "logs")}. Ctrl-C ends it.\n`,
);
await interrupted;
process.stdout.write("Ending …\n");
await mesh.stop();
await rm(tokenFile, { force: true });
