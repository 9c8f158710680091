import type { Monorepo } from "@xcloudflow/model/dsl/monorepo-index";
import { PUBLIC_REGISTRY, type RegistryHosts } from "./registry-modules.ts";

/** Where `.xcf.yaml` lets modules come from; a registry that it makes the default is allowed by that. */
export function registryHosts({ platform }: Monorepo): RegistryHosts {
  const { default: named, hosts = [] } = platform?.value.spec.registries ?? {};
  return { default: named ?? PUBLIC_REGISTRY, hosts: named === undefined ? hosts : [named, ...hosts] };
}
