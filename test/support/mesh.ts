import { execFile } from "node:child_process";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import type { CallOptions } from "@connectrpc/connect";
import { createSystemClock } from "@xcloudflow/chassis/clock";
import { type Mesh, startMesh } from "@xcloudflow/mesh/mesh";
import { type MeshPlan, POOLS } from "@xcloudflow/mesh/mesh-plan";
import { findMeshTools } from "@xcloudflow/mesh/mesh-tools";
import { requireEngine } from "./engines.ts";
import { createPatientApi, type PatientApi } from "./patient-api.ts";

const run = promisify(execFile);
const SOURCES = resolve(import.meta.dirname, "../..");
/** Who writes, plans and applies. */
export const PERSON = "xcf@example.com";

/** Why tests over a mesh are skipped here, or false. */
export function meshSkip(): string | false {
  for (const name of ["terraform", "opa", "nats-server"]) {
    const { skip } = requireEngine(name);
    if (skip !== false) return skip;
  }
  return false;
}

/** A mesh of real processes with a Git repository it may plan, and `xcf` with a token that may do everything. */
export interface TestMesh {
  readonly mesh: Mesh;
  /** Top folder of the repository. */
  readonly repository: string;
  /** Around the repository and the mesh: for a ledger and its like. */
  readonly folder: string;
  readonly api: PatientApi;
  /** To be passed with every call. */
  readonly call: CallOptions;
  /** Writes files and commits them as `xcf`. */
  commit(files: Readonly<Record<string, string>>): Promise<string>;
  /** Ends every process and removes everything; `XCF_KEEP_MESH=1` leaves the folder with its logs. */
  dispose(): Promise<void>;
}

export interface TestMeshOptions extends Partial<MeshPlan> {
  /** Further variables for every process. */
  readonly extra?: Readonly<Record<string, string>>;
}

export async function startTestMesh(options: TestMeshOptions = {}): Promise<TestMesh> {
  const { replicas = 1, workers = 2, pools = POOLS, extra = {} } = options;
  const folder = await mkdtemp(join(tmpdir(), "xcf-mesh-"));
  // Passable, not readable: where we are root, PostgreSQL runs as somebody else.
  await chmod(folder, 0o711);
  const repository = join(folder, "repository");
  await mkdir(repository);
  const git = (...words: string[]) =>
    run("git", words, { cwd: repository, env: { PATH: process.env["PATH"] ?? "", GIT_CONFIG_GLOBAL: "/dev/null" } });
  await git("init", "--quiet", "--initial-branch=main");
  await git("config", "user.email", PERSON);
  await git("config", "user.name", "Xcf");
  const mesh = await startMesh({
    plan: { replicas, workers, pools },
    folder: join(folder, "mesh"),
    sources: SOURCES,
    node: process.execPath,
    tools: findMeshTools(process.env),
    repositories: [repository],
    extra,
    clock: createSystemClock(),
  });
  const dispose = async (): Promise<void> => {
    api.close();
    await mesh.stop();
    if (process.env["XCF_KEEP_MESH"] === "1") process.stderr.write(`kept: ${folder}\n`);
    else await rm(folder, { recursive: true, force: true });
  };
  const api = createPatientApi(mesh.urls);
  const bearer = (token: string): CallOptions => ({ headers: { authorization: `Bearer ${token}` } });
  try {
    const { token } = await api.client.createToken({ role: "admin", subject: PERSON }, bearer(mesh.adminToken));
    return {
      mesh,
      repository,
      folder,
      api,
      call: bearer(token),
      async commit(files) {
        for (const [path, content] of Object.entries(files)) {
          await mkdir(dirname(join(repository, path)), { recursive: true });
          await writeFile(join(repository, path), content);
        }
        await git("add", "--all");
        await git("commit", "--quiet", "--allow-empty", "-m", "change");
        return (await git("rev-parse", "HEAD")).stdout.trim();
      },
      dispose,
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}
