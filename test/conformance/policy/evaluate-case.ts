import { readdirSync, readFileSync, statSync } from "node:fs";
import { basename, join, posix } from "node:path";
import type { PolicyFile } from "@xcloudflow/policy/policy-bundle";
import { composeBundle } from "@xcloudflow/policy/policy-bundle";
import type { PolicyTools } from "@xcloudflow/policy/policy-tools";
import { type Outcome, orderReport } from "./check-outcome.ts";
import type { CorpusCase } from "./corpus-case.ts";

/** Judges the case as `xcf policy eval` does. */
export async function evaluateCase(tools: PolicyTools, corpusCase: CorpusCase): Promise<Outcome> {
  const { folder, inputs, data, namespaces, allNamespaces, combine, regoVersion } = corpusCase;
  try {
    const policies = readTree(folder, "policy").filter(({ path }) => path.endsWith(".rego"));
    const documents = data.flatMap((root) => readData(folder, root));
    const bundle = composeBundle(policies, documents, { regoVersion, dataRoot: "data" });
    const results = await tools.evaluateFiles("default", bundle, {
      inputs: inputs.map((path) => ({ path, content: readFileSync(join(folder, path)) })),
      namespaces: { names: namespaces, all: allNamespaces },
      combine,
      directory: folder,
    });
    return { report: orderReport(JSON.parse(JSON.stringify(results))) };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return { error: error.message };
  }
}

/** A folder's files by their path below it, a file's as itself at the root. */
function readData(folder: string, root: string): PolicyFile[] {
  if (statSync(join(folder, root)).isFile())
    return [{ path: basename(root), content: readFileSync(join(folder, root)) }];
  return readTree(join(folder, root), ".").filter(({ path }) => /\.(json|ya?ml)$/.test(path));
}

function readTree(folder: string, root: string): PolicyFile[] {
  return readdirSync(join(folder, root), { withFileTypes: true }).flatMap((entry) => {
    const path = posix.join(root, entry.name);
    if (entry.isDirectory()) return readTree(folder, path);
    return [{ path, content: readFileSync(join(folder, path)) }];
  });
}
