// The engines and servers that tests, benchmarks and the demo run against, each pinned with its checksums in a small Go
// module of its own (their dependencies contradict one another).

/** One tool, which may come as several binaries. */
export interface PinnedTool {
  name: string;
  version: string;
  /** Folders under tools/ with a go.mod whose `tool` directives name what is built. */
  modules: string[];
  /** The Debian package that brings its binaries, for a tool that takes too long to build; it is unpacked, not installed. */
  debianPackage?: string;
  /** What the build leaves in the cache, the first being the tool's main one. */
  binaries: string[];
  /** Set where the tool is a folder to point at, not a program: its path is the folder. */
  isFolder?: true;
  /** Linker variables the tool's own release build sets. */
  linkerVariables?: string[];
  /** How the binary on PATH tells its version; absent where a binary on PATH is never used. */
  onPath?: { versionArguments: string[]; minimum: string };
  /** Whether `make test` and `make demo` need it, or only CI's full run. */
  needed: "always" | "without-terraform" | "full";
}

export const pinnedTools: PinnedTool[] = [
  {
    name: "opa",
    version: "1.22.2",
    modules: ["opa"],
    binaries: ["opa"],
    onPath: { versionArguments: ["version"], minimum: "1.22.2" },
    needed: "always",
  },
  {
    name: "sops",
    version: "3.13.3",
    modules: ["sops"],
    binaries: ["sops"],
    linkerVariables: ["github.com/getsops/sops/v3/version.Version=3.13.3"],
    onPath: { versionArguments: ["--version", "--disable-version-check"], minimum: "3.9.0" },
    needed: "full",
  },
  {
    name: "conftest",
    version: "0.71.1",
    modules: ["conftest"],
    binaries: ["conftest"],
    linkerVariables: ["github.com/open-policy-agent/conftest/internal/version.Version=0.71.1"],
    onPath: { versionArguments: ["--version"], minimum: "0.71.1" },
    needed: "full",
  },
  {
    name: "grpcurl",
    version: "1.9.4",
    modules: ["grpcurl"],
    binaries: ["grpcurl"],
    linkerVariables: ["main.version=v1.9.4"],
    onPath: { versionArguments: ["-version"], minimum: "1.8.8" },
    needed: "full",
  },
  {
    name: "opentofu",
    version: "1.12.6",
    modules: ["opentofu"],
    binaries: ["tofu"],
    linkerVariables: ["github.com/opentofu/opentofu/version.dev=no"],
    onPath: { versionArguments: ["version"], minimum: "1.8.0" },
    needed: "without-terraform",
  },
  {
    name: "age",
    version: "1.3.2",
    modules: ["age"],
    binaries: ["age", "age-keygen"],
    linkerVariables: ["main.Version=v1.3.2"],
    onPath: { versionArguments: ["--version"], minimum: "1.1.0" },
    needed: "full",
  },
  {
    name: "nats-server",
    version: "2.15.2",
    modules: ["nats-server"],
    binaries: ["nats-server"],
    onPath: { versionArguments: ["--version"], minimum: "2.11.0" },
    needed: "full",
  },
  {
    name: "terraform-providers",
    version: "1",
    modules: ["terraform-providers/time", "terraform-providers/classic"],
    binaries: [
      "terraform-provider-time",
      "terraform-provider-random",
      "terraform-provider-null",
      "terraform-provider-local",
    ],
    isFolder: true,
    needed: "full",
  },
  {
    name: "grpc-health-probe",
    version: "0.4.61",
    modules: ["grpc-health-probe"],
    binaries: ["grpc-health-probe"],
    linkerVariables: ["main.versionTag=0.4.61"],
    onPath: { versionArguments: ["-version"], minimum: "0.4.0" },
    needed: "full",
  },
  {
    name: "helm",
    version: "3.22.0",
    modules: ["helm"],
    binaries: ["helm"],
    linkerVariables: ["helm.sh/helm/v3/internal/version.version=v3.22.0"],
    onPath: { versionArguments: ["version", "--short"], minimum: "3.14.0" },
    needed: "full",
  },
  {
    name: "kubeconform",
    version: "0.8.0",
    modules: ["kubeconform"],
    binaries: ["kubeconform"],
    linkerVariables: ["main.version=v0.8.0"],
    onPath: { versionArguments: ["-v"], minimum: "0.6.4" },
    needed: "full",
  },
  {
    name: "kubernetes-schemas",
    version: "0.37.0",
    modules: ["kubernetes-schemas"],
    binaries: ["deployment-apps-v1.json"],
    isFolder: true,
    needed: "full",
  },
  {
    name: "ghz",
    version: "0.93.0",
    modules: ["ghz"],
    binaries: ["ghz"],
    linkerVariables: ["main.version=0.93.0"],
    onPath: { versionArguments: ["--version"], minimum: "0.93.0" },
    needed: "full",
  },
  {
    name: "promtool",
    version: "debian",
    modules: [],
    debianPackage: "prometheus",
    binaries: ["promtool"],
    onPath: { versionArguments: ["--version"], minimum: "2.40.0" },
    needed: "full",
  },
];

/** The tool of that name, or the one a binary of that name belongs to. */
export function findPinnedTool(name: string): PinnedTool | undefined {
  return pinnedTools.find((tool) => tool.name === name || tool.binaries.includes(name));
}
