import { MESH_SERVICES, type MeshService } from "@xcloudflow/chassis/peer-identity";
import { loginUser } from "./login-users.ts";
import type { MeshFolder } from "./mesh-folder.ts";
import { type MeshProcessPlan, ownsTables } from "./mesh-plan.ts";

/** Where everything of a mesh on this machine listens. */
export interface MeshPorts {
  readonly postgres: number;
  readonly nats: number;
  /** By process name: where it serves the mesh, and where its probes are. */
  readonly processes: ReadonlyMap<string, { readonly mesh: number; readonly probe: number }>;
  /** By process name, for each replica of api. */
  readonly public: ReadonlyMap<string, number>;
}

/** What a process of the mesh may know of the machine. */
export interface MeshTools {
  /** PATH, HOME and their like. */
  readonly base: Readonly<Record<string, string>>;
  /** Paths by name; a missing one is looked for on PATH by the process itself. */
  readonly opa?: string | undefined;
  readonly sops?: string | undefined;
  readonly terraform?: string | undefined;
  readonly tofu?: string | undefined;
}

export interface EnvironmentQuestion {
  readonly process: MeshProcessPlan;
  readonly all: readonly MeshProcessPlan[];
  readonly folder: MeshFolder;
  readonly ports: MeshPorts;
  readonly tools: MeshTools;
  /** Folders whose repositories may be planned. */
  readonly repositories: readonly string[];
  /** One a tenant. */
  readonly adminTokens: readonly string[];
  /** More for every process: secrets as `XCF_SECRET_…`, telemetry. */
  readonly extra: Readonly<Record<string, string>>;
}

/** The whole environment of one process, as a chart or a compose file would give it. */
export function processEnvironment(question: EnvironmentQuestion): Record<string, string> {
  const { process, folder, ports, tools, extra } = question;
  const { cert, key } = folder.certificateOf(process.name);
  const own = ports.processes.get(process.name);
  return given({
    ...tools.base,
    ...extra,
    XCF_LISTEN: `127.0.0.1:${own?.mesh ?? 0}`,
    XCF_PROBE_LISTEN: `127.0.0.1:${own?.probe ?? 0}`,
    XCF_TLS_CERT: cert,
    XCF_TLS_KEY: key,
    XCF_TLS_CA: folder.caFile,
    XCF_PARENT_PIPE: "1",
    ...places(question),
    XCF_NATS_URL: `tls://127.0.0.1:${ports.nats}`,
    XCF_NATS_CA: folder.caFile,
    XCF_NATS_USER: "xcf",
    XCF_NATS_PASSWORD: folder.secrets.nats,
    ...(process.kind === "service" ? serviceEnvironment(question, process.service) : runnerEnvironment(question)),
  });
}

function places({ all, ports }: EnvironmentQuestion): Record<string, string> {
  return Object.fromEntries(
    MESH_SERVICES.map((service) => {
      const urls = all.flatMap((process) => {
        const mesh = ports.processes.get(process.name)?.mesh;
        return process.kind === "service" && process.service === service ? [`https://127.0.0.1:${mesh}`] : [];
      });
      return [`XCF_${service.toUpperCase()}_URL`, urls.join(",")];
    }),
  );
}

function serviceEnvironment(
  { process, folder, ports, tools, repositories, adminTokens }: EnvironmentQuestion,
  service: MeshService,
): Record<string, string | undefined> {
  const database = ownsTables(service)
    ? `postgres://${loginUser(service)}:${folder.secrets.databases[service]}@127.0.0.1:${ports.postgres}/xcloudflow`
    : undefined;
  const own: Readonly<Record<MeshService, Record<string, string | undefined>>> = {
    api: {
      XCF_PUBLIC_LISTEN: `127.0.0.1:${ports.public.get(process.name)}`,
      XCF_ADMIN_TOKEN: adminTokens.join(","),
    },
    audit: {
      XCF_AUDIT_KEY: folder.auditKey,
      XCF_AUDIT_ORIGIN: "xcloudflow.local",
      XCF_AUDIT_CHECKPOINTS: `${folder.path}/${process.name}/checkpoints`,
    },
    orchestrator: { XCF_ATTEMPT_KEY: folder.attemptKey },
    planner: {
      XCF_CACHE: `${folder.path}/${process.name}/cache`,
      XCF_REPOSITORIES: repositories.join(","),
      XCF_GIT_TRANSPORTS: "https,ssh,file",
    },
    policy: { XCF_TOOL_OPA: tools.opa },
    router: {},
    secrets: { XCF_ATTEMPT_PUBLIC_KEY: folder.attemptPublicKey, XCF_TOOL_SOPS: tools.sops },
    state: { XCF_ATTEMPT_PUBLIC_KEY: folder.attemptPublicKey, XCF_STATE_AGE_KEY: folder.ageKey },
  };
  return { XCF_DATABASE_URL: database, ...own[service] };
}

function runnerEnvironment({ process, folder, tools }: EnvironmentQuestion): Record<string, string | undefined> {
  return {
    XCF_POOL: process.kind === "runner" ? process.pool.pool : undefined,
    XCF_DRAIN_SECONDS: "5",
    XCF_SCRATCH: `${folder.path}/${process.name}/scratch`,
    // Plugins and module archives are shared by workers of one machine.
    XCF_CACHE: `${folder.path}/runner-cache`,
    XCF_TOOL_TERRAFORM: tools.terraform,
    XCF_TOOL_TOFU: tools.tofu,
  };
}

function given(variables: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(Object.entries(variables).flatMap(([name, value]) => (value ? [[name, value]] : [])));
}
