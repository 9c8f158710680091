import { execFileSync } from "node:child_process";
import { accessSync, constants, existsSync } from "node:fs";
import { delimiter, isAbsolute, join } from "node:path";
import type { PinnedTool } from "./pinned-tools.ts";
import { findInToolCache, toolCacheFolder } from "./tool-cache.ts";
import { isAtLeast, readVersion } from "./tool-version.ts";

/**
 * Finds a binary of a tool: the path configured in `XCF_TOOL_<NAME>`, then PATH when it is new enough there, then the
 * cache. Undefined when it is nowhere.
 */
export function locateTool(tool: PinnedTool, binary: string, env: NodeJS.ProcessEnv): string | undefined {
  const configured = env[`XCF_TOOL_${binary.toUpperCase().replaceAll("-", "_")}`];
  if (configured) return existsSync(configured) ? configured : undefined;
  if (tool.isFolder) {
    const folder = toolCacheFolder(tool, env);
    return existsSync(folder) ? folder : undefined;
  }
  return locateOnPath(tool, binary, env) ?? findInToolCache(tool, binary, env);
}

/** The first executable of that name on PATH, whatever its version. */
export function findExecutable(binary: string, env: NodeJS.ProcessEnv): string | undefined {
  const folders = (env["PATH"] ?? "").split(delimiter).filter(isAbsolute);
  return folders.map((folder) => join(folder, binary)).find(isExecutable);
}

function locateOnPath(tool: PinnedTool, binary: string, env: NodeJS.ProcessEnv): string | undefined {
  if (tool.onPath === undefined) return undefined;
  const path = findExecutable(binary, env);
  if (path === undefined) return undefined;
  const version = askVersion(path, tool.onPath.versionArguments);
  return version !== undefined && isAtLeast(version, tool.onPath.minimum) ? path : undefined;
}

/** A binary that cannot tell its version is as good as absent: the pinned one is used instead. */
function askVersion(path: string, args: string[]): string | undefined {
  try {
    return readVersion(
      execFileSync(path, args, { encoding: "utf8", timeout: 10_000, stdio: ["ignore", "pipe", "pipe"] }),
    );
  } catch {
    return undefined;
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
