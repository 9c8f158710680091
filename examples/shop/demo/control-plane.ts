import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createSystemClock } from "@xcloudflow/chassis/clock";
import { startMesh } from "@xcloudflow/mesh/mesh";
import { POOLS } from "@xcloudflow/mesh/mesh-plan";
import { findMeshTools } from "@xcloudflow/mesh/mesh-tools";
import { DANA, INES, LEE, type Person } from "./person.ts";
import { createShell, type Shell } from "./shell-cli.ts";

/** The control plane the story is played against: `xcf` looks and answers the same whichever it is. */
export interface ControlPlane {
  readonly shell: Shell;
  /** What `audit verify` needs besides the two files. */
  readonly verifyWith: readonly string[];
  /** What somebody may try afterwards. */
  readonly goOn: readonly string[];
  /** Said when the story begins. */
  readonly about: string;
  close(): Promise<void>;
}

export interface ControlPlaneOptions {
  readonly folder: string;
  /** Path of `bin/xcf.js`. */
  readonly launcher: string;
  readonly sources: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** In `.xcf/` of the shop: people are who their environment says. */
export function startEmbeddedStory({ folder, launcher, environment }: ControlPlaneOptions): ControlPlane {
  const shell = createShell(folder, launcher, environment, ({ email, groups }) => ({
    XCF_USER: email,
    XCF_GROUPS: groups.join(","),
  }));
  return {
    shell,
    verifyWith: [],
    goOn: ["audit query --limit 10", "plan --env prod"],
    about: "The control plane runs embedded, in `.xcf/` of the shop.",
    close: async () => undefined,
  };
}

/** A process per service on PostgreSQL and NATS, two workers a pool: people are who their tokens say. */
export async function startMeshStory(options: ControlPlaneOptions): Promise<ControlPlane> {
  const { folder, launcher, sources, environment } = options;
  const place = await mkdtemp(join(tmpdir(), "xcloudflow-mesh-"));
  const mesh = await startMesh({
    plan: { replicas: 1, workers: 2, pools: POOLS },
    folder: place,
    sources,
    node: process.execPath,
    tools: findMeshTools(environment),
    repositories: [folder],
    clock: createSystemClock(),
  });
  const server = mesh.urls[0] ?? "";
  const admin = createShell(folder, launcher, environment, () => ({ XCF_SERVER: server, XCF_TOKEN: mesh.adminToken }));
  const tokens = new Map<Person, string>();
  for (const person of [DANA, INES, LEE]) {
    const groups = person.groups.flatMap((group) => ["--group", group]);
    const words = ["token", "create", "--role", "admin", "--user", person.email, ...groups];
    const { code, text } = await admin.xcf(person, words);
    if (code !== 0) throw new Error(`no token for ${person.name}: ${text}`);
    tokens.set(person, text.trim());
  }
  return {
    shell: createShell(folder, launcher, environment, (person) => ({
      XCF_SERVER: server,
      XCF_TOKEN: tokens.get(person) ?? "",
    })),
    verifyWith: ["--key", mesh.folder.auditPublicKey],
    // The mesh has ended with the story; these need none.
    goOn: ["graph --env prod", "explain prod/database/orders"],
    about: `The control plane is a mesh of ${mesh.processes.size} processes on PostgreSQL and NATS, at ${server}.`,
    async close() {
      await mesh.stop();
      await rm(place, { recursive: true, force: true });
    },
  };
}
