import { readFile } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import type { Problem } from "@xcloudflow/model/dsl/problem";
import { listFiles } from "./read-work-tree.ts";
import type { Surroundings } from "./surroundings.ts";

/** Compiles the work tree's policies and runs their Rego tests; nothing where there are none. */
export async function testWorkTreePolicies(
  surroundings: Surroundings,
  repository: string,
): Promise<{ readonly problems: readonly Problem[]; readonly passed: number }> {
  const paths = (await listFiles(join(repository, "policies"))).filter((path) => /\.(rego|json|ya?ml)$/.test(path));
  if (!paths.some((path) => path.endsWith(".rego"))) return { problems: [], passed: 0 };
  const files = await Promise.all(
    paths.map(async (path) => ({
      path: relative(repository, path).split(sep).join("/"),
      content: new Uint8Array(await readFile(path)),
    })),
  );
  const { openOfflinePolicy } = await import("@xcloudflow/embedded/offline-policy");
  const policy = await openOfflinePolicy(surroundings.environment, surroundings.clock);
  try {
    const { problems, passed } = await policy.client.testPolicies({ files }, policy.call);
    return {
      passed,
      problems: problems.map(({ file, line, column, code, message, hint, severity }) => ({
        file,
        line: Math.max(1, line),
        col: Math.max(1, column),
        code,
        message,
        hint,
        severity: severity === "warning" ? "warning" : "error",
      })),
    };
  } finally {
    await policy.close();
  }
}
