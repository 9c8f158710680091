// Engines of a checkout: `list` what is pinned and where it is found, `build NAME…` into the user's cache, `path NAME`.
// `build --needed` builds what tests and the demo need and the machine lacks, `build --all` every tool.
import { buildTool } from "./build-tool.ts";
import { findExecutable, locateTool } from "./locate-tool.ts";
import { findPinnedTool, type PinnedTool, pinnedTools } from "./pinned-tools.ts";

const usage = "usage: tools.ts list | path NAME | build (NAME… | --needed | --all)";

function main([verb, ...names]: string[], env: NodeJS.ProcessEnv): void {
  if (verb === "list" && names.length === 0) list(env);
  else if (verb === "path" && names.length === 1) printPath(names[0] ?? "", env);
  else if (verb === "build" && names.length > 0) build(chooseTools(names, env), env);
  else fail(usage);
}

function list(env: NodeJS.ProcessEnv): void {
  for (const tool of pinnedTools) {
    for (const binary of binariesOf(tool)) {
      console.log([binary.padEnd(20), tool.version.padEnd(8), locateTool(tool, binary, env) ?? "not built"].join(" "));
    }
  }
}

/** A folder is one thing to point at, whatever lies in it. */
function binariesOf(tool: PinnedTool): string[] {
  return tool.isFolder ? [tool.name] : tool.binaries;
}

function printPath(name: string, env: NodeJS.ProcessEnv): void {
  const tool = findPinnedTool(name) ?? fail(`no tool is called ${name}; there are ${allNames()}`);
  const binary = name === tool.name ? (tool.binaries[0] ?? name) : name;
  const path = locateTool(tool, binary, env);
  console.log(path ?? fail(`${name} is not here; run \`make tools-all\` or put it on PATH`));
}

function chooseTools(names: string[], env: NodeJS.ProcessEnv): PinnedTool[] {
  if (names.includes("--all")) return pinnedTools;
  if (names.includes("--needed")) {
    const hasTerraform = findExecutable("terraform", env) !== undefined;
    return pinnedTools.filter(
      (tool) => tool.needed === "always" || (tool.needed === "without-terraform" && !hasTerraform),
    );
  }
  return names.flatMap((name) => findPinnedTool(name) ?? fail(`no tool is called ${name}; there are ${allNames()}`));
}

/** What PATH already has is not built. */
function build(tools: PinnedTool[], env: NodeJS.ProcessEnv): void {
  for (const tool of tools) {
    if (tool.binaries.every((binary) => locateTool(tool, binary, env) !== undefined)) continue;
    buildTool(tool, env, (line) => console.error(line));
  }
}

function allNames(): string {
  return pinnedTools.map((tool) => tool.name).join(", ");
}

function fail(message: string): never {
  console.error(message);
  process.exit(1);
}

try {
  main(process.argv.slice(2), process.env);
} catch (error) {
  fail(error instanceof Error ? error.message : String(error));
}
