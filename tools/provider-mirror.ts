import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";

/** Versions as their Go modules pin them; the file name in a mirror must say them. */
const providerVersions = { time: "0.14.2", random: "2.0.0", null: "1.0.0", local: "1.4.0" };

/** Terraform and OpenTofu look below their own registry's host. */
const registryHosts = ["registry.terraform.io", "registry.opentofu.org"];

const architectures: Record<string, string> = { x64: "amd64", arm64: "arm64" };

/**
 * Lays out built providers as a filesystem mirror below `folder`, unpacked layout:
 * `<host>/hashicorp/<type>/<version>/<os>_<arch>/terraform-provider-<type>_v<version>`.
 */
export function layOutProviderMirror(folder: string, link: (from: string, to: string) => void): void {
  for (const path of mirrorPaths(`${process.platform}_${architectures[process.arch] ?? process.arch}`)) {
    mkdirSync(join(folder, dirname(path.target)), { recursive: true });
    link(join(folder, path.binary), join(folder, path.target));
  }
}

/** Which built binary goes where in the mirror, relative to its folder. */
export function mirrorPaths(platform: string): { binary: string; target: string }[] {
  return registryHosts.flatMap((host) =>
    Object.entries(providerVersions).map(([type, version]) => ({
      binary: `terraform-provider-${type}`,
      target: join(host, "hashicorp", type, version, platform, `terraform-provider-${type}_v${version}`),
    })),
  );
}
