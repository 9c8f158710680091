import { accessSync, constants, readdirSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, isAbsolute, join } from "node:path";

export type Environment = Readonly<Record<string, string | undefined>>;

/** Where a program was found, or that it was not. */
export interface FoundTool {
  readonly name: string;
  readonly path: string | undefined;
  readonly from: "configured" | "PATH" | "tools cache" | undefined;
}

/** Looks a program up as everything here does: `XCF_TOOL_<NAME>`, then PATH, then the tools cache. */
export function findTool(name: string, environment: Environment): FoundTool {
  const configured = environment[`XCF_TOOL_${name.toUpperCase().replaceAll("-", "_")}`];
  if (configured !== undefined && configured !== "") return { name, path: configured, from: "configured" };
  for (const folder of (environment.PATH ?? "").split(delimiter).filter(isAbsolute)) {
    const path = join(folder, name);
    if (isExecutable(path)) return { name, path, from: "PATH" };
  }
  const cached = cacheFolders(name, environment)
    .map((folder) => join(folder, name))
    .find(isExecutable);
  return cached === undefined
    ? { name, path: undefined, from: undefined }
    : { name, path: cached, from: "tools cache" };
}

/** Folders of the tools cache that may hold `name`, the newest first. */
export function cacheFolders(name: string, environment: Environment): string[] {
  const base = join(cacheHome(environment), "xcloudflow", "tools", CACHE_NAMES[name] ?? name);
  try {
    return readdirSync(base)
      .map((version) => join(base, version))
      .sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs);
  } catch {
    return [];
  }
}

export function cacheHome(environment: Environment): string {
  const home = environment.XDG_CACHE_HOME;
  return home === undefined || home === "" ? join(environment.HOME ?? homedir(), ".cache") : home;
}

/** Programs whose folder in the cache has another name. */
const CACHE_NAMES: Readonly<Record<string, string>> = { tofu: "opentofu", "age-keygen": "age" };

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
