import { findTool } from "@xcloudflow/embedded/tool-places";
import { EXIT, type ExitCode } from "../exit-code.ts";
import { doctorOutputSchema } from "../output/doctor-output.ts";
import type { CommonOptions, Surroundings } from "../surroundings.ts";
import { printJson } from "../terminal.ts";
import { askVersion } from "../tool-version-cli.ts";

interface Wanted {
  readonly name: string;
  readonly for: string;
  readonly arguments: readonly string[];
  /** At least one of a group must be there. */
  readonly group: string | undefined;
  readonly get: string;
}

const WANTED: readonly Wanted[] = [
  {
    name: "git",
    for: "reading the repository",
    arguments: ["--version"],
    group: "git",
    get: "your system's package manager",
  },
  {
    name: "opa",
    for: "policies",
    arguments: ["version"],
    group: "opa",
    get: "https://www.openpolicyagent.org/docs/latest/#running-opa, or `make tools` in a checkout",
  },
  {
    name: "terraform",
    for: "engine terraform",
    arguments: ["version"],
    group: "terraform",
    get: "https://developer.hashicorp.com/terraform/install",
  },
  {
    name: "tofu",
    for: "engine terraform (OpenTofu)",
    arguments: ["version"],
    group: "terraform",
    get: "https://opentofu.org/docs/intro/install/, or `make tools` in a checkout",
  },
  {
    name: "sops",
    for: "secret://sops references",
    arguments: ["--version", "--disable-version-check"],
    group: undefined,
    get: "https://github.com/getsops/sops/releases, or `make tools-all` in a checkout",
  },
];

/** Which programs are found, their versions, and how to get the rest. 1 when something that is always needed is missing. */
export async function doctor(surroundings: Surroundings, options: CommonOptions): Promise<ExitCode> {
  const found = await Promise.all(
    WANTED.map(async (tool) => {
      const { path, from } = findTool(tool.name, surroundings.environment);
      return { ...tool, path, from, version: path === undefined ? undefined : await askVersion(path, tool.arguments) };
    }),
  );
  const groups = new Set(WANTED.flatMap((tool) => tool.group ?? []));
  const missing = [...groups].filter(
    (group) => !found.some((tool) => tool.group === group && tool.version !== undefined),
  );
  if (options.output === "json") {
    printJson(surroundings.terminal, doctorOutputSchema, {
      version: surroundings.version,
      node: process.versions.node,
      tools: found.map(({ name, for: use, path, from, version, get }) => ({
        name,
        for: use,
        found: version !== undefined,
        ...(version === undefined ? { get } : { path, from, version }),
      })),
      sandbox: "none: planning runs your modules' code as you",
      missing,
    });
  } else {
    const { terminal } = surroundings;
    terminal.out(`xcf ${surroundings.version} on Node ${process.versions.node}\n`);
    for (const tool of found) {
      terminal.out(
        tool.version === undefined
          ? `- ${tool.name.padEnd(10)} not found   ${tool.for}; get it: ${tool.get}\n`
          : `✓ ${tool.name.padEnd(10)} ${tool.version.padEnd(10)}  ${tool.path} (${tool.from})\n`,
      );
    }
    terminal.out(
      "! embedded mode has no sandbox: planning runs your modules' code with your rights (docs/threat-model.md)\n",
    );
  }
  return missing.length === 0 ? EXIT.done : EXIT.failed;
}
