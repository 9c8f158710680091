import { execFile } from "node:child_process";
import { type Outcome, orderReport } from "./check-outcome.ts";
import type { CorpusCase } from "./corpus-case.ts";

/** Runs the real conftest in the case's folder. */
export function runConftest(binary: string, corpusCase: CorpusCase): Promise<Outcome> {
  const { inputs, data, namespaces, allNamespaces, combine, regoVersion, folder } = corpusCase;
  const args = [
    ...["test", "--output", "json", "--policy", "policy", "--rego-version", regoVersion],
    ...data.flatMap((path) => ["--data", path]),
    ...namespaces.flatMap((name) => ["--namespace", name]),
    ...(allNamespaces ? ["--all-namespaces"] : []),
    ...(combine ? ["--combine"] : []),
    ...inputs,
  ];
  return new Promise((resolve) => {
    execFile(binary, args, { cwd: folder, env: { HOME: folder, TMPDIR: "/tmp" } }, (_error, stdout, stderr) => {
      // It exits with 1 for failures and for errors alike; only the former print a report.
      if (stdout.trim() === "") resolve({ error: stderr.trim() });
      else resolve({ report: orderReport(JSON.parse(stdout)) });
    });
  });
}
