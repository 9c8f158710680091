import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { findExecutable } from "./locate-tool.ts";
import type { SuiteOutcome } from "./test-tally.ts";

const root = dirname(import.meta.dirname);

interface Check {
  name: string;
  command: string[];
  /** Why it cannot be done on this machine, if so. */
  missing?: string;
}

function checksFor(env: NodeJS.ProcessEnv): Check[] {
  const fetched = existsSync(join(root, ".cache", "schemas", "go.mod"));
  const contracts: Check = { name: "check contracts", command: ["node", "tools/proto.ts", "--check"] };
  if (!fetched && findExecutable("go", env) === undefined) contracts.missing = "needs go to fetch schemas; install it";
  return [
    { name: "check types", command: ["tsc", "-p", "tsconfig.json"] },
    { name: "check format and lint", command: ["biome", "check", "--diagnostic-level=warn", "."] },
    { name: "check lockfile", command: ["node", "tools/check-lockfile.ts"] },
    { name: "check directions", command: ["node", "tools/check-directions.ts"] },
    contracts,
  ];
}

/**
 * Runs the static checks one after another, each a suite of one. A check that the machine cannot do is skipped with its
 * reason, or fails where `requireAll`.
 */
export function runChecks(env: NodeJS.ProcessEnv, requireAll: boolean, report: (text: string) => void): SuiteOutcome[] {
  return checksFor(env).map(({ name, command, missing }) => {
    if (missing !== undefined && !requireAll) return { name, passed: 0, failed: 0, skipped: [missing], seconds: 0 };
    const started = performance.now();
    const [program = "", ...args] = command;
    const path = join(root, "node_modules", ".bin", program);
    const result = spawnSync(path, args, { cwd: root, env, encoding: "utf8", maxBuffer: 64 << 20 });
    const failed = result.status === 0 ? 0 : 1;
    if (failed > 0) report(`${result.stdout}${result.stderr}`);
    return { name, passed: 1 - failed, failed, skipped: [], seconds: (performance.now() - started) / 1000 };
  });
}
