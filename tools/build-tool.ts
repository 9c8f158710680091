import { execFileSync } from "node:child_process";
import { linkSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { findExecutable } from "./locate-tool.ts";
import type { PinnedTool } from "./pinned-tools.ts";
import { layOutProviderMirror } from "./provider-mirror.ts";
import { findInToolCache, toolCacheFolder } from "./tool-cache.ts";

/** Thrown when a tool has to be built and the machine has no Go. */
export class GoMissingError extends Error {
  constructor(tool: string) {
    super(`building ${tool} needs Go 1.26 or newer on PATH; install it, or put ${tool} itself on PATH`);
    this.name = "GoMissingError";
  }
}

/**
 * Builds a tool into the cache unless it is there and returns its folder. Made beside its final place and renamed, so
 * that nobody ever runs half a binary, even when two checkouts build at once.
 */
export function buildTool(tool: PinnedTool, env: NodeJS.ProcessEnv, report: (line: string) => void): string {
  const folder = toolCacheFolder(tool, env);
  if (tool.binaries.every((binary) => findInToolCache(tool, binary, env) !== undefined)) return folder;
  if (findExecutable("go", env) === undefined) throw new GoMissingError(tool.name);
  report(`building ${tool.name} ${tool.version}`);
  const started = performance.now();
  mkdirSync(dirname(folder), { recursive: true });
  const scratch = mkdtempSync(`${folder}.`);
  try {
    for (const module of tool.modules) compile(tool, module, scratch, env);
    if (tool.name === "terraform-providers") layOutProviderMirror(scratch, linkSync);
    rmSync(folder, { recursive: true, force: true });
    renameSync(scratch, folder);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  report(`built ${tool.name} ${tool.version} in ${Math.round((performance.now() - started) / 1000)} s`);
  return folder;
}

/** One module at a time and niced: a build must not starve what else the machine does. */
function compile(tool: PinnedTool, module: string, output: string, env: NodeJS.ProcessEnv): void {
  const variables = (tool.linkerVariables ?? []).flatMap((variable) => ["-X", variable]);
  const linker = ["-s", "-w", ...variables].join(" ");
  const go = [
    "go",
    "build",
    "-trimpath",
    "-buildvcs=false",
    "-mod=readonly",
    `-ldflags=${linker}`,
    "-o",
    `${output}/`,
    "tool",
  ];
  execFileSync("nice", go, {
    cwd: join(import.meta.dirname, module),
    env: { ...env, GOWORK: "off", CGO_ENABLED: "0" },
    stdio: ["ignore", "ignore", "inherit"],
  });
}
