import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createSystemClock } from "@xcloudflow/chassis/clock";
import { startMesh } from "@xcloudflow/mesh/mesh";
import { POOLS } from "@xcloudflow/mesh/mesh-plan";
import { findMeshTools } from "@xcloudflow/mesh/mesh-tools";
import { requireEngine } from "./engines.ts";
import { formatSharedMesh } from "./shared-mesh.ts";

const missing = ["nats-server", "opa", "terraform"]
  .map((name) => requireEngine(name).skip)
  .find((skip) => skip !== false);
if (missing !== undefined) {
  process.stdout.write(`skip the mesh ${missing}\n`);
  process.exit(0);
}

/** Starts one mesh for all suites of a run, says where it is, and ends with its standard input. */
const folder = await mkdtemp(join(tmpdir(), "xcf-mesh-"));
const tenants = Array.from({ length: 48 }, (_, index) => `team${index + 1}`);
const mesh = await startMesh({
  plan: { replicas: 1, workers: 1, pools: POOLS },
  folder,
  sources: resolve(import.meta.dirname, "../.."),
  node: process.execPath,
  tools: findMeshTools(process.env),
  repositories: [tmpdir()],
  tenants,
  // Four at a time in all, as the embedded mode has.
  extra: { XCF_CONCURRENCY: "2", XCF_LOG: "info" },
  clock: createSystemClock(),
});
const path = join(folder, "shared.json");
const taken = await mesh.folder.folder("taken");
const shared = {
  url: mesh.urls[0] ?? "",
  taken,
  tokens: Object.fromEntries(mesh.adminTokens),
  logs: join(folder, "logs"),
};
await writeFile(path, formatSharedMesh(shared), { mode: 0o600 });
process.stdout.write(`${path}\n`);

process.stdin.resume();
await new Promise((ended) => process.stdin.once("end", ended).once("error", ended));
await mesh.stop();
await rm(folder, { recursive: true, force: true });
process.exit(0);
