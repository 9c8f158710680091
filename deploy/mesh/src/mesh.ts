import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "@xcloudflow/chassis/clock";
import { createLogger } from "@xcloudflow/chassis/logger";
import { createSystemRandom } from "@xcloudflow/chassis/random";
import { takeFreePorts } from "./free-ports.ts";
import { type MeshFolder, newAdminToken, prepareMeshFolder } from "./mesh-folder.ts";
import { type MeshPlan, type MeshProcessPlan, planProcesses } from "./mesh-plan.ts";
import { migrateMesh } from "./migrate-mesh.ts";
import { startNatsServer } from "./nats-server-cli.ts";
import { startPostgresServer } from "./postgres-server-cli.ts";
import { type MeshPorts, type MeshTools, processEnvironment } from "./process-environment.ts";
import { type SupervisedProcess, superviseProcess } from "./supervised-process-cli.ts";

export interface MeshOptions {
  readonly plan: MeshPlan;
  /** Everything of it that stays; may be new or of an earlier mesh. */
  readonly folder: string;
  /** Top folder of the sources. */
  readonly sources: string;
  readonly node: string;
  readonly tools: MeshTools & { readonly nats: string };
  readonly repositories: readonly string[];
  readonly extra?: Readonly<Record<string, string>>;
  /** Tenants besides `default` that get an administrator's token. */
  readonly tenants?: readonly string[];
  /** Where the public edge listens; a free port by default. */
  readonly publicPort?: number;
  readonly clock: Clock;
}

/** The whole mesh on this machine: a process each, started again when one ends. */
export interface Mesh {
  /** `http://127.0.0.1:<port>` of each replica of api. */
  readonly urls: readonly string[];
  readonly adminToken: string;
  /** By tenant. */
  readonly adminTokens: ReadonlyMap<string, string>;
  readonly folder: MeshFolder;
  readonly ports: MeshPorts;
  readonly processes: ReadonlyMap<string, SupervisedProcess>;
  readonly postgres: SupervisedProcess;
  readonly nats: SupervisedProcess;
  /** Workers first, then services, then the servers they stand on. */
  stop(): Promise<void>;
}

export async function startMesh(options: MeshOptions): Promise<Mesh> {
  const { plan, clock, tools } = options;
  const all = planProcesses(plan);
  const folder = await prepareMeshFolder(options.folder, all, clock.now());
  const logs = await folder.folder("logs");
  const ports = await choosePorts(all, options.publicPort);
  const adminTokens = new Map([
    ["default", folder.secrets.adminToken],
    ...(options.tenants ?? []).map((tenant) => [tenant, newAdminToken(tenant)] as const),
  ]);
  const started: SupervisedProcess[] = [];
  const keep = <T extends SupervisedProcess>(process: T): T => {
    started.push(process);
    return process;
  };
  const stop = async (): Promise<void> => {
    const runners = started.filter(({ name }) =>
      all.some((process) => process.name === name && process.kind === "runner"),
    );
    await Promise.all(runners.map((process) => process.stop()));
    await Promise.all(
      started.filter(({ name }) => name !== "postgres" && name !== "nats").map((process) => process.stop()),
    );
    await Promise.all(started.map((process) => process.stop()));
  };
  try {
    const [postgres, nats] = await Promise.all([
      startPostgresServer({
        folder: await folder.folder("postgres"),
        port: ports.postgres,
        password: folder.secrets.owner,
        clock,
        log: join(logs, "postgres.log"),
      }).then(keep),
      startNatsServer({ binary: tools.nats, folder, port: ports.nats, clock, log: join(logs, "nats.log") }).then(keep),
    ]);
    await migrateMesh({
      url: `postgres://xcf_owner:${folder.secrets.owner}@127.0.0.1:${ports.postgres}/xcloudflow`,
      passwords: folder.secrets.databases,
      clock,
      random: createSystemRandom(),
      logger: createLogger({
        level: "warn",
        now: () => clock.now(),
        write: (line) => void process.stderr.write(`${line}\n`),
      }),
    });
    const processes = new Map<string, SupervisedProcess>();
    for (const process of all)
      processes.set(
        process.name,
        keep(await startProcess(options, [...adminTokens.values()], process, all, folder, ports, logs)),
      );
    await Promise.all([...processes.values()].map((process) => process.ready()));
    return {
      urls: [...ports.public.values()].map((port) => `http://127.0.0.1:${port}`),
      adminToken: folder.secrets.adminToken,
      adminTokens,
      folder,
      ports,
      processes,
      postgres,
      nats,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function choosePorts(all: readonly MeshProcessPlan[], publicPort: number | undefined): Promise<MeshPorts> {
  const apis = all.filter((process) => process.kind === "service" && process.service === "api");
  const free = await takeFreePorts(2 + 2 * all.length + apis.length);
  const next = (): number => free.pop() ?? 0;
  return {
    postgres: next(),
    nats: next(),
    processes: new Map(all.map(({ name }) => [name, { mesh: next(), probe: next() }])),
    public: new Map(
      apis.map(({ name }, index) => [name, index === 0 && publicPort !== undefined ? publicPort : next()]),
    ),
  };
}

async function startProcess(
  { node, sources, tools, repositories, extra = {}, clock }: MeshOptions,
  adminTokens: readonly string[],
  process: MeshProcessPlan,
  all: readonly MeshProcessPlan[],
  folder: MeshFolder,
  ports: MeshPorts,
  logs: string,
): Promise<SupervisedProcess> {
  const place = process.kind === "service" ? ["services", process.service] : ["runners", process.pool.engine];
  const cwd = await folder.folder(process.name);
  for (const name of ["cache", "scratch", "checkpoints"])
    await mkdir(join(cwd, name), { recursive: true, mode: 0o700 });
  const probe = `http://127.0.0.1:${ports.processes.get(process.name)?.probe}/readyz`;
  return superviseProcess(
    {
      name: process.name,
      file: node,
      args: ["--disable-warning=ExperimentalWarning", join(sources, ...place, "src", "main.ts")],
      env: {
        ...processEnvironment({ process, all, folder, ports, tools, repositories, extra, adminTokens }),
        NODE_COMPILE_CACHE: join(folder.path, "compile-cache"),
        TMPDIR: await folder.folder(process.name, "tmp"),
      },
      cwd,
      log: join(logs, `${process.name}.log`),
      isReady: async () => (await fetch(probe)).ok,
    },
    clock,
  );
}
