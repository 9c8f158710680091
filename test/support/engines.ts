import { findExecutable, locateTool } from "../../tools/locate-tool.ts";
import { findPinnedTool } from "../../tools/pinned-tools.ts";

/** Thrown when an engine is missing where every engine is required (`XCF_REQUIRE_ENGINES=1`), or is used though missing. */
export class EngineMissingError extends Error {
  constructor(name: string) {
    super(`${name} is not on this machine; ${adviceFor(name)}`);
    this.name = "EngineMissingError";
  }
}

/** A real engine as a test finds it: hand `skip` to the test's options and use `path` inside. */
export interface RequiredEngine {
  /** Absolute path of the binary; of a folder for `terraform-providers`. Throws when the engine is missing. */
  readonly path: string;
  /** Why tests that need it are skipped, or false when it is here. */
  readonly skip: string | false;
}

/**
 * Finds a real engine by name: one of tools/, or a program the machine brings (`terraform`, `git`). `terraform` is
 * OpenTofu where Terraform is missing. Missing means a skip locally and a failure under `XCF_REQUIRE_ENGINES=1`.
 */
export function requireEngine(name: string): RequiredEngine {
  const path = findEngine(name, process.env);
  if (path !== undefined) return { path, skip: false };
  if (process.env["XCF_REQUIRE_ENGINES"] === "1") throw new EngineMissingError(name);
  return {
    get path(): string {
      throw new EngineMissingError(name);
    },
    skip: `needs ${name}; ${adviceFor(name)}`,
  };
}

function findEngine(name: string, env: NodeJS.ProcessEnv): string | undefined {
  if (name === "terraform") return findExecutable("terraform", env) ?? findEngine("tofu", env);
  const tool = findPinnedTool(name);
  if (tool === undefined) return findExecutable(name, env);
  return locateTool(tool, tool.name === name ? (tool.binaries[0] ?? name) : name, env);
}

function adviceFor(name: string): string {
  const tool = name === "terraform" ? "opentofu" : findPinnedTool(name)?.name;
  return tool === undefined ? "install it" : `run \`node tools/tools.ts build ${tool}\``;
}
