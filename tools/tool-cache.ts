import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import type { PinnedTool } from "./pinned-tools.ts";

/** The user's cache folder of built tools; outside any clone, so that a fresh one builds nothing again. */
export function toolCacheRoot(env: NodeJS.ProcessEnv): string {
  return join(env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "xcloudflow", "tools");
}

/**
 * Where a tool is or will be in the cache: `<name>/<version>-<checksum of its go.mod and go.sum files>`. Another pin of
 * any dependency is another folder, so a cache shared by checkouts never serves the wrong build.
 */
export function toolCacheFolder(tool: PinnedTool, env: NodeJS.ProcessEnv): string {
  const hash = createHash("sha256");
  for (const module of tool.modules) {
    for (const file of ["go.mod", "go.sum"]) hash.update(readFileSync(join(import.meta.dirname, module, file)));
  }
  return join(toolCacheRoot(env), tool.name, `${tool.version}-${hash.digest("hex").slice(0, 12)}`);
}

/** Path of one built binary of the tool, or undefined when it has not been built. */
export function findInToolCache(tool: PinnedTool, binary: string, env: NodeJS.ProcessEnv): string | undefined {
  const path = join(toolCacheFolder(tool, env), binary);
  return existsSync(path) ? path : undefined;
}
