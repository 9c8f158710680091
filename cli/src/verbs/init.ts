import { access, mkdir, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { CodedError } from "@xcloudflow/model/coded-error";
import { EXIT, type ExitCode } from "../exit-code.ts";
import { commitFiles, ensureIdentity, ensureRepository } from "../new-repository-cli.ts";
import { initOutputSchema } from "../output/init-output.ts";
import { SCAFFOLD } from "../scaffold-files.ts";
import type { CommonOptions, Surroundings } from "../surroundings.ts";
import { printJson } from "../terminal.ts";

/** Thrown when files of the scaffold are there already: nothing is overwritten, nothing is written. */
export class ScaffoldConflictError extends CodedError {
  constructor(directory: string, files: readonly string[]) {
    super("SCAFFOLD_CONFLICT", "invalid", {
      where: directory,
      what: `these files are there already: ${files.join(", ")}`,
      hint: "choose another folder, or write what is missing by hand (docs/dsl.md)",
    });
  }
}

/** Writes a monorepo that plans and applies as it stands, and commits it. */
export async function init(
  surroundings: Surroundings,
  directory: string | undefined,
  options: CommonOptions,
): Promise<ExitCode> {
  const target = resolve(surroundings.directory, directory ?? ".");
  const paths = Object.keys(SCAFFOLD);
  const taken = await findTaken(target, paths);
  if (taken.length > 0) throw new ScaffoldConflictError(target, taken);
  for (const [path, content] of Object.entries(SCAFFOLD)) {
    await mkdir(dirname(join(target, path)), { recursive: true });
    await writeFile(join(target, path), content, { flag: "wx" });
  }
  await ensureRepository(target);
  const identity = await ensureIdentity(target);
  await commitFiles(target, paths, "Start with a network and an application");
  const place = directory === undefined ? "" : `cd ${directory} && `;
  if (options.output === "json")
    printJson(surroundings.terminal, initOutputSchema, { directory: target, files: paths });
  else {
    if (identity.made)
      surroundings.terminal.out(`Git knew no user.email; this repository now says ${identity.email}.\n`);
    surroundings.terminal.out(
      `Made a monorepo in ${target} with an environment "dev".\nNext: ${place}xcf plan, then xcf apply\n`,
    );
  }
  return EXIT.done;
}

async function findTaken(target: string, paths: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const path of paths) {
    const there = await access(join(target, path)).then(
      () => true,
      () => false,
    );
    if (there) found.push(path);
  }
  return found;
}
