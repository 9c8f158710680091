import { execFileSync } from "node:child_process";
import { linkSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { z } from "zod";
import { layOutKubernetesSchemas } from "./kubernetes-schemas.ts";
import { findExecutable } from "./locate-tool.ts";
import type { PinnedTool } from "./pinned-tools.ts";
import { layOutProviderMirror } from "./provider-mirror.ts";
import { findInToolCache, toolCacheFolder } from "./tool-cache.ts";
import { unpackDebian } from "./unpack-debian.ts";

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
  if (tool.debianPackage === undefined && findExecutable("go", env) === undefined) throw new GoMissingError(tool.name);
  report(`building ${tool.name} ${tool.version}`);
  const started = performance.now();
  mkdirSync(dirname(folder), { recursive: true });
  const scratch = mkdtempSync(`${folder}.`);
  try {
    if (tool.debianPackage !== undefined) unpackDebian(tool.debianPackage, tool.binaries, scratch, env);
    if (tool.name === "kubernetes-schemas") extractSchemas(scratch, env);
    else for (const module of tool.modules) compile(tool, module, scratch, env);
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

/** Kubernetes publishes its OpenAPI document inside a Go module; go.sum pins it as it does a program. */
function extractSchemas(output: string, env: NodeJS.ProcessEnv): void {
  const printed = execFileSync("go", ["mod", "download", "-json", "k8s.io/cli-runtime"], {
    cwd: join(import.meta.dirname, "kubernetes-schemas"),
    env: { ...env, GOWORK: "off", GOFLAGS: "-mod=readonly" },
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  const { Dir } = z.object({ Dir: z.string() }).parse(JSON.parse(printed));
  layOutKubernetesSchemas(output, readFileSync(join(Dir, "artifacts/openapi/swagger.json"), "utf8"));
}
