import { execFile } from "node:child_process";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import { createSystemClock } from "@xcloudflow/chassis/clock";
import type { MeshService } from "@xcloudflow/chassis/peer-identity";
import { type Mesh, startMesh } from "@xcloudflow/mesh/mesh";
import type { MeshPlan } from "@xcloudflow/mesh/mesh-plan";
import { findMeshTools } from "@xcloudflow/mesh/mesh-tools";
import { requireEngine } from "./engines.ts";

const run = promisify(execFile);
const SOURCES = resolve(import.meta.dirname, "../..");
const XCF = join(SOURCES, "bin", "xcf.js");

/** Why a mesh cannot be started here, or false. */
export function meshIsMissing(...others: readonly string[]): string | false {
  const skips = ["nats-server", "opa", ...others].map((name) => requireEngine(name).skip);
  return skips.find((skip) => skip !== false) ?? false;
}

/** A mesh of its own in a temporary folder, with an empty repository that it may plan. */
export interface RunningMesh {
  readonly mesh: Mesh;
  /** Around everything. */
  readonly folder: string;
  readonly repository: string;
  /** Where a service's first replica serves other members. */
  addressOf(service: MeshService): { readonly host: string; readonly port: number; readonly url: string };
  git(...words: readonly string[]): Promise<string>;
  commit(files: Readonly<Record<string, string>>): Promise<string>;
  /** Runs `xcf` against the mesh with a token, by default the administrator's. Resolves whatever its exit code. */
  xcf(words: readonly string[], environment?: Readonly<Record<string, string>>): Promise<CommandEnd>;
  dispose(): Promise<void>;
}

export interface CommandEnd {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface RunningMeshOptions extends MeshPlan {
  readonly extra?: Readonly<Record<string, string>>;
}

export async function startRunningMesh({ extra = {}, ...plan }: RunningMeshOptions): Promise<RunningMesh> {
  const folder = await mkdtemp(join(tmpdir(), "xcf-running-mesh-"));
  // Passable, not readable: where we are root, PostgreSQL runs as somebody else.
  await chmod(folder, 0o711);
  const repository = join(folder, "repository");
  const home = join(folder, "home");
  for (const each of [repository, home]) await mkdir(each, { mode: 0o700 });
  const environment = { PATH: process.env["PATH"] ?? "", HOME: home, GIT_CONFIG_GLOBAL: "/dev/null" };
  const git = async (...words: readonly string[]): Promise<string> =>
    (await run("git", words, { cwd: repository, env: environment })).stdout.trim();
  await git("init", "--quiet", "--initial-branch=main");
  await git("config", "user.email", "author@example.com");
  await git("config", "user.name", "Author");
  const mesh = await startMesh({
    plan,
    folder: join(folder, "mesh"),
    sources: SOURCES,
    node: process.execPath,
    tools: findMeshTools(process.env),
    repositories: [repository],
    extra,
    clock: createSystemClock(),
  });
  return {
    mesh,
    folder,
    repository,
    addressOf(service) {
      const port = mesh.ports.processes.get(`${service}-1`)?.mesh ?? 0;
      return { host: "127.0.0.1", port, url: `https://127.0.0.1:${port}` };
    },
    git,
    async commit(files) {
      for (const [path, content] of Object.entries(files)) {
        await mkdir(dirname(join(repository, path)), { recursive: true });
        await writeFile(join(repository, path), content);
      }
      await git("add", "--all");
      await git("commit", "--quiet", "--allow-empty", "-m", "change");
      return await git("rev-parse", "HEAD");
    },
    async xcf(words, more = {}) {
      const env = {
        ...environment,
        CI: "1",
        XCF_SERVER: mesh.urls[0] ?? "",
        XCF_TOKEN: mesh.adminToken,
        ...more,
      };
      const options = { cwd: repository, env, maxBuffer: 64 * 1024 * 1024 };
      const { promise, resolve: end } = Promise.withResolvers<CommandEnd>();
      execFile(process.execPath, [XCF, ...words], options, (error, out, err) =>
        end({ code: error === null ? 0 : Number(error.code ?? 1), out, err }),
      );
      return await promise;
    },
    async dispose() {
      await mesh.stop();
      await rm(folder, { recursive: true, force: true, maxRetries: 10 });
    },
  };
}
