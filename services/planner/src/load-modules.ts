import { posix } from "node:path";
import type { DeclaredUnit } from "@xcloudflow/model/dsl/expansion";
import type { ModuleRef } from "@xcloudflow/model/dsl/module-ref";
import { enginesFromContents } from "@xcloudflow/model/engine-content";
import type { JsonObject, JsonValue } from "@xcloudflow/model/json-value";
import type { Problem } from "@xcloudflow/model/problems-found-error";
import type { EngineName } from "@xcloudflow/model/route-settings";
import { z } from "zod";
import type { ClosureProblem, ClosureRequest } from "./closure.ts";
import { type EngineDeclarations, underPlatform } from "./engine-settings.ts";
import type { ModulePacker, PackedModule } from "./module-packer.ts";
import { RegistryModuleUnavailableError } from "./registry-errors.ts";
import type { RegistryHosts, RegistryModules } from "./registry-modules.ts";
import { type RemoteModule, type RemoteModules, RemoteModuleUnavailableError } from "./remote-modules.ts";
import type { Snapshot } from "./snapshot.ts";
import type { Tree } from "./tree.ts";

/** A unit whose engine is decided, about to get its module. */
export interface ModuleWish {
  readonly declared: DeclaredUnit;
  readonly engine: EngineName;
  /** The environment's file: its variable files are named from its folder. */
  readonly environmentFile: string;
}

export interface LoadedModule {
  readonly packed: PackedModule;
  /** The engine's settings with variable files as paths in the archive. */
  readonly engineConfig: JsonObject;
}

/** What fetches the modules that are not in the repository. */
export interface ModuleFetchers {
  readonly remote: RemoteModules;
  readonly registry: RegistryModules;
  /** From the governing commit: a proposal cannot point at another registry. */
  readonly hosts: RegistryHosts;
}

/** Where the folders of modules are: the repository's snapshot, and what has been fetched for other references. */
export interface ModuleSources {
  readonly snapshot: Snapshot;
  readonly fetched: ReadonlyMap<string, RemoteModule | Problem>;
}

/** Fetches every `git::` and `registry://` module that units name, each once. What cannot be fetched is a problem where it is named. */
export async function fetchModules(
  snapshot: Snapshot,
  units: readonly DeclaredUnit[],
  { remote, registry, hosts }: ModuleFetchers,
): Promise<ModuleSources> {
  const wanted = new Map<string, DeclaredUnit>();
  for (const unit of units) if (unit.ref.kind !== "local") wanted.set(remoteKey(unit.ref), unit);
  const fetched = new Map<string, RemoteModule | Problem>();
  await Promise.all(
    [...wanted].map(async ([key, unit]) => {
      const { ref } = unit;
      if (ref.kind === "local") return;
      try {
        fetched.set(key, ref.kind === "git" ? await remote.fetch(ref.url, ref.ref) : await registry.fetch(ref, hosts));
      } catch (error) {
        if (!(error instanceof RemoteModuleUnavailableError || error instanceof RegistryModuleUnavailableError))
          throw error;
        const message = error instanceof RegistryModuleUnavailableError ? `${error.where}: ${error.what}` : error.what;
        fetched.set(key, problemAtRef(unit, { code: error.code, message, hint: error.hint ?? "" }));
      }
    }),
  );
  return { snapshot, fetched };
}

function remoteKey(ref: Exclude<ModuleRef, { kind: "local" }>): string {
  return ref.kind === "git" ? `${ref.ref} ${ref.url}` : JSON.stringify(ref);
}

/** Engines that a unit's module folder speaks of, undefined where it cannot be looked into. */
export function moduleContents(
  { snapshot, fetched }: ModuleSources,
  { ref }: DeclaredUnit,
): readonly EngineName[] | undefined {
  if (ref.kind === "registry") return ["terraform"];
  const source = ref.kind === "git" ? fetched.get(remoteKey(ref)) : undefined;
  if (ref.kind === "git" && (source === undefined || !("snapshot" in source))) return undefined;
  const folder =
    ref.kind === "local"
      ? snapshot.folder(ref.path)
      : source !== undefined && "snapshot" in source
        ? source.snapshot.folder(rootOf(ref.directory))
        : undefined;
  if (folder === undefined) return undefined;
  let engines = enginesOf.get(folder.tree);
  if (engines === undefined) {
    engines = enginesFromContents(folder.names);
    enginesOf.set(folder.tree, engines);
  }
  return engines;
}

/** Folders that commits share are looked into once. */
const enginesOf = new WeakMap<Tree, readonly EngineName[]>();

function rootOf(directory: string): string {
  return directory === "." ? "" : directory;
}

const NO_CONFIG: JsonObject = {};

/** Packs the modules of units; units with the same module share it. Every problem is reported where its cause stands. */
export async function loadModules(
  sources: ModuleSources,
  wishes: readonly ModuleWish[],
  packer: ModulePacker,
  problems: Problem[],
  engines: EngineDeclarations = {},
): Promise<Map<string, LoadedModule>> {
  const requests = new Map<
    string,
    { readonly request: ClosureRequest; readonly wishes: ModuleWish[]; readonly unit: DeclaredUnit }
  >();
  const configs = new Map<string, JsonObject>();
  for (const wish of wishes) {
    const { declared, engine } = wish;
    const config = underPlatform(declared.engineConfig[engine] ?? NO_CONFIG, engines[engine]);
    const varFiles = engine === "terraform" ? placeVarFiles(sources.snapshot, wish, config, problems) : [];
    configs.set(declared.address, varFiles.length === 0 ? config : { ...config, varFiles });
    const request = requestOf(sources, declared, engine, varFiles, problems);
    if (request === undefined) continue;
    const key = [request.prefix, request.folder, request.terraform, request.snapshot.root.identity, ...varFiles].join(
      "\n",
    );
    const known = requests.get(key);
    if (known === undefined) requests.set(key, { request, wishes: [wish], unit: declared });
    else known.wishes.push(wish);
  }
  const grouped = [...requests.values()];
  const packed = await packer.pack(grouped.map(({ request }) => request));
  const loaded = new Map<string, LoadedModule>();
  for (const [index, group] of grouped.entries()) {
    const result = packed[index];
    if (result === undefined || !("archive" in result)) {
      for (const problem of result ?? []) problems.push(placeProblem(problem, group.unit));
      continue;
    }
    for (const { declared } of group.wishes)
      loaded.set(declared.address, { packed: result, engineConfig: configs.get(declared.address) ?? NO_CONFIG });
  }
  return loaded;
}

function requestOf(
  { snapshot, fetched }: ModuleSources,
  unit: DeclaredUnit,
  engine: EngineName,
  varFiles: readonly string[],
  problems: Problem[],
): ClosureRequest | undefined {
  const { ref } = unit;
  const common = { terraform: engine === "terraform", files: { snapshot, paths: varFiles } };
  if (ref.kind === "local") return { ...common, snapshot, prefix: "", folder: ref.path };
  const remote = fetched.get(remoteKey(ref));
  if (remote === undefined || !("snapshot" in remote)) {
    if (remote !== undefined) problems.push(remote);
    return undefined;
  }
  return {
    ...common,
    snapshot: remote.snapshot,
    prefix: remote.prefix,
    folder: remote.folder ?? rootOf(ref.kind === "git" ? ref.directory : "."),
  };
}

const varFilesSchema = z.array(z.string().min(1).max(1_000));

/**
 * A variable file is named from the folder of the file that lists it, from the module's folder, or from the root of the
 * repository; the first that exists is meant.
 */
function placeVarFiles(snapshot: Snapshot, wish: ModuleWish, config: JsonObject, problems: Problem[]): string[] {
  if (config.varFiles === undefined) return [];
  const listed = varFilesSchema.safeParse(config.varFiles);
  if (!listed.success) {
    problems.push(
      problemAtRef(wish.declared, {
        code: "VAR_FILES_INVALID",
        message: "engineConfig.terraform.varFiles is not a list of files",
        hint: "write varFiles: [prod.tfvars]",
      }),
    );
    return [];
  }
  const { ref, source } = wish.declared;
  const folders = [
    posix.dirname(declaringFile(wish, config.varFiles)),
    ...(ref.kind === "local" ? [ref.path] : []),
    ".",
  ];
  const placed: string[] = [];
  for (const name of listed.data) {
    const candidates = name.startsWith("/")
      ? []
      : folders.map((folder) => posix.normalize(posix.join(folder, name))).filter((path) => !path.startsWith("../"));
    const found = candidates.find((path) => snapshot.file(path) !== undefined);
    if (found !== undefined) placed.push(found);
    else {
      const message = `there is no variable file "${name}"`;
      problems.push(
        problemAtRef(wish.declared, {
          code: "VAR_FILE_MISSING",
          message,
          hint:
            candidates.length === 0
              ? "variable files are in the repository"
              : `looked for ${candidates.join(", ")} (${source.composition.value.metadata.name})`,
        }),
      );
    }
  }
  return placed;
}

/** The strongest layer that lists variable files: a list replaces the list of the layer below. */
function declaringFile({ declared, environmentFile }: ModuleWish, varFiles: JsonValue | undefined): string {
  const { composition, moduleIndex } = declared.source;
  const { spec } = composition.value;
  const own = spec.modules[moduleIndex]?.engineConfig?.terraform?.varFiles ?? spec.engineConfig?.terraform?.varFiles;
  return own === undefined || varFiles === undefined ? environmentFile : composition.source.file;
}

function placeProblem(problem: ClosureProblem, unit: DeclaredUnit): Problem {
  if (problem.line > 0) return { ...problem, severity: "error" };
  const { code, message, hint, file } = problem;
  return problemAtRef(unit, {
    code,
    message: file === "" || message.includes(file) ? message : `${file}: ${message}`,
    hint,
  });
}

/** A problem at the `ref` of the unit's module. */
export function problemAtRef(
  { source }: DeclaredUnit,
  report: { readonly code: string; readonly message: string; readonly hint: string },
): Problem {
  const { composition, moduleIndex } = source;
  const position = composition.source.valueAt(composition.index, ["spec", "modules", moduleIndex, "ref"]);
  return { file: composition.source.file, ...position, ...report, severity: "error" };
}
