import { readFile, stat } from "node:fs/promises";
import { join, relative, resolve, sep } from "node:path";
import { EXIT, type ExitCode } from "../exit-code.ts";
import { explainFileError } from "../given-file.ts";
import { listFiles } from "../read-work-tree.ts";
import type { CommonOptions, Surroundings } from "../surroundings.ts";

export interface PolicyEvalOptions extends CommonOptions {
  readonly policy?: string;
  readonly namespace?: readonly string[];
  readonly allNamespaces?: boolean;
  readonly data?: readonly string[];
  readonly combine?: boolean;
}

/** What conftest would say about these files, in its own JSON. 4: something is denied. */
export async function policyEval(
  surroundings: Surroundings,
  files: readonly string[],
  options: PolicyEvalOptions,
): Promise<ExitCode> {
  const { openOfflinePolicy } = await import("@xcloudflow/embedded/offline-policy");
  const { directory, terminal } = surroundings;
  const policies = await readAll(directory, [options.policy ?? "policies"], /\.rego$/);
  const data = await readAll(directory, options.data ?? [], /\.(json|ya?ml)$/);
  const inputs = await readAll(directory, files, /./);
  const policy = await openOfflinePolicy(surroundings.environment, surroundings.clock);
  try {
    const answer = await policy.client.evaluateFiles(
      {
        policies,
        data,
        inputs,
        namespaces: [...(options.namespace ?? [])],
        allNamespaces: options.allNamespaces === true,
        combine: options.combine === true,
      },
      policy.call,
    );
    terminal.out(`${new TextDecoder().decode(answer.resultsDocument)}\n`);
    return answer.failures > 0 ? EXIT.denied : EXIT.done;
  } finally {
    await policy.close();
  }
}

async function readAll(
  directory: string,
  names: readonly string[],
  wanted: RegExp,
): Promise<{ path: string; content: Uint8Array }[]> {
  const files: { path: string; content: Uint8Array }[] = [];
  for (const name of names) {
    const path = resolve(directory, name);
    const about = await stat(path).catch((error: unknown) => {
      throw explainFileError(error, path, "read");
    });
    const found = about.isDirectory() ? (await listFiles(path)).filter((file) => wanted.test(file)) : [path];
    for (const file of found)
      files.push({
        path: relative(directory, file).split(sep).join("/") || join(file),
        content: new Uint8Array(await readFile(file)),
      });
  }
  return files;
}
