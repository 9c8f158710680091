import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { CodedError } from "@xcloudflow/model/coded-error";
import type { Edge } from "@xcloudflow/model/compilation";
import { type DeclaredUnit, expandEnvironment } from "@xcloudflow/model/dsl/expansion";
import { compileMonorepo, type MonorepoResult } from "@xcloudflow/model/dsl/monorepo";
import { nearestName } from "@xcloudflow/model/dsl/nearest";
import { routeUnit } from "@xcloudflow/model/dsl/route-question";
import { enginesFromContents } from "@xcloudflow/model/engine-content";
import type { Route } from "@xcloudflow/model/route";
import { isFolder, listFolders, readWorkTree } from "./read-work-tree.ts";

/** A unit of the work tree with its Route. */
export interface RoutedUnit {
  readonly unit: DeclaredUnit;
  readonly route: Route;
}

/** Everything the files of a work tree mean, without a control plane: what validate, graph and explain print. */
export interface CompiledWorkTree extends MonorepoResult {
  readonly units: readonly RoutedUnit[];
  readonly edges: readonly Edge[];
}

/** Thrown when a name that people gave stands for nothing in the repository. */
export class NameUnknownError extends CodedError {
  constructor(kind: string, name: string, names: readonly string[]) {
    const near = nearestName(name, names);
    super("NAME_UNKNOWN", "invalid", {
      what: `there is no ${kind} "${name}"`,
      hint: near === undefined ? `there are: ${names.slice(0, 20).join(", ") || "none"}` : `did you mean "${near}"?`,
    });
  }
}

export async function compileWorkTree(repository: string, environment?: string): Promise<CompiledWorkTree> {
  const files = await readWorkTree(repository);
  const folders = await listFolders(join(repository, "modules"), join(repository, "playbooks"));
  const result = compileMonorepo(files, { folderExists: (path) => folders.has(join(repository, path)) });
  const names = [...result.monorepo.environments.keys()];
  if (environment !== undefined && !names.includes(environment))
    throw new NameUnknownError("environment", environment, names);
  const units: RoutedUnit[] = [];
  const edges: Edge[] = [];
  for (const document of result.monorepo.environments.values()) {
    if (environment !== undefined && document.value.metadata.name !== environment) continue;
    const expansion = expandEnvironment(result.monorepo, document);
    edges.push(...expansion.edges);
    for (const unit of expansion.units)
      units.push({ unit, route: routeUnit(result.monorepo, unit, await enginesOf(repository, unit)).route });
  }
  return { ...result, units, edges };
}

/** Engines the module's files speak of; nothing is said about a module that is not in the repository. */
async function enginesOf(repository: string, unit: DeclaredUnit): Promise<string[] | undefined> {
  if (unit.ref.kind !== "local") return undefined;
  const folder = join(repository, unit.ref.path);
  return (await isFolder(folder)) ? enginesFromContents(await readdir(folder)) : undefined;
}

/** Units that a REF stands for: an address, a composition's name or file, or a module folder. */
export function findUnits(compiled: CompiledWorkTree, ref: string): RoutedUnit[] {
  const name = ref
    .replace(/^\.\//, "")
    .replace(/\.ya?ml$/, "")
    .replace(/\/$/, "");
  const found = compiled.units.filter(({ unit }) => {
    const composition = unit.source.composition;
    const file = composition.source.file.replace(/\.ya?ml$/, "");
    const isModule = unit.ref.kind === "local" && unit.ref.path === name;
    return (
      unit.address === name ||
      composition.value.metadata.name === name ||
      file === name ||
      file === `${name}/composition` ||
      isModule
    );
  });
  if (found.length === 0) throw new NameUnknownError("unit, composition or module", ref, namesOf(compiled));
  return found;
}

function namesOf(compiled: CompiledWorkTree): string[] {
  const names = new Set<string>();
  for (const { unit } of compiled.units) {
    const { value, source } = unit.source.composition;
    names
      .add(unit.address)
      .add(value.metadata.name)
      .add(source.file.replace(/\.ya?ml$/, ""));
    if (unit.ref.kind === "local") names.add(unit.ref.path);
  }
  return [...names];
}
