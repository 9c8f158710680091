// Runs the static checks and every suite, or only the test files whose path starts with one of the arguments, and ends
// with the line `N passed, N failed`. `--checks` runs the checks alone, `--no-checks` leaves them out. The end-to-end
// suites directly in test/e2e run twice, against the embedded control plane and against a mesh that all of them share;
// `--embedded` and `--mesh` choose one of the two.
import { globSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname } from "node:path";
import { run } from "node:test";
import { runChecks } from "./run-checks.ts";
import { startSharedMesh } from "./shared-mesh.ts";
import { describeFailure, describeSuite, describeTotals, type SuiteOutcome } from "./test-tally.ts";

const root = dirname(import.meta.dirname);
const folders = "{lib,services,runners,cli,deploy,tools,test}";
const fileTimeout = 20 * 60_000;

/** Longest first: suites that start servers and engines must not be what everything waits for at the end. */
const slowest = ["test/e2e/", "test/integration/", "test/simulation/", "test/conformance/"];

function findTestFiles(prefixes: string[]): string[] {
  const skipped = (path: string) => /(^|\/)(node_modules|testdata|bench)(\/|$)/.test(path);
  const files = globSync(`${folders}/**/*.test.ts`, { cwd: root, exclude: skipped });
  const rank = (path: string) => slowest.findIndex((prefix) => path.startsWith(prefix)) >>> 0;
  return files
    .filter((path) => prefixes.length === 0 || prefixes.some((prefix) => path.startsWith(prefix.replace(/^\.\//, ""))))
    .sort((left, right) => rank(left) - rank(right) || (left < right ? -1 : 1));
}

/** Runs each file in a process of its own; failures are printed as they come, in full. */
async function runTests(
  files: string[],
  report: (text: string) => void,
  { mark = "", concurrency = Math.min(2, availableParallelism()) } = {},
): Promise<SuiteOutcome[]> {
  const suites = new Map<string, SuiteOutcome>();
  if (files.length === 0) return [];
  const suiteOf = (file: string | undefined): SuiteOutcome => {
    const name = mark + (file ?? "unknown file").replace(`${root}/`, "");
    const suite = suites.get(name) ?? { name, passed: 0, failed: 0, skipped: [], seconds: 0 };
    suites.set(name, suite);
    return suite;
  };
  const stream = run({
    cwd: root,
    files,
    concurrency,
    isolation: "process",
    timeout: fileTimeout,
    execArgv: ["--disable-warning=ExperimentalWarning"],
  });
  const finished = new Set<SuiteOutcome>();
  for await (const { type, data } of stream) {
    if (type === "test:fail") {
      if (isCausedByItsTests(data.details.error)) continue;
      const suite = suiteOf(data.file);
      suite.failed += 1;
      report(describeFailure(data.name.replace(`${root}/`, ""), `${suite.name}:${data.line ?? 1}`, data.details.error));
    } else if (type === "test:pass" && data.details.type !== "suite") {
      if (data.skip === undefined) suiteOf(data.file).passed += 1;
      else suiteOf(data.file).skipped.push(typeof data.skip === "string" ? data.skip : data.name);
    } else if (type === "test:stderr") {
      process.stderr.write(data.message);
    } else if (type === "test:summary" && data.file !== undefined) {
      const suite = suiteOf(data.file);
      suite.seconds = data.duration_ms / 1000;
      finished.add(suite);
      report(`${describeSuite(suite)}\n`);
    }
  }
  // A process that died has told no summary.
  for (const suite of suites.values()) if (!finished.has(suite)) report(`${describeSuite(suite)}\n`);
  return [...suites.values()];
}

function startsMeshes(file: string): boolean {
  return file.startsWith("test/mesh/");
}

function isForBothModes(file: string): boolean {
  return /^test\/e2e\/[^/]+\.test\.ts$/.test(file);
}

/** The same suites against processes on PostgreSQL and NATS, which are started once for all of them. */
async function runOverMesh(files: string[], report: (text: string) => void): Promise<SuiteOutcome[]> {
  if (files.length === 0) return [];
  const started = performance.now();
  const mesh = await startSharedMesh(root);
  const seconds = (performance.now() - started) / 1000;
  const suite = { name: "[mesh] start", passed: 0, failed: 0, skipped: [], seconds };
  if (mesh.kind === "skipped") return [{ ...suite, skipped: [mesh.reason] }];
  if (mesh.kind === "failed") return [{ ...suite, failed: 1 }];
  try {
    process.env["XCF_TEST_MESH"] = mesh.path;
    return [{ ...suite, passed: 1 }, ...(await runTests(files, report, { mark: "[mesh] " }))];
  } finally {
    delete process.env["XCF_TEST_MESH"];
    await mesh.stop();
  }
}

/** A suite fails with its tests; those are counted, and the suite too only when it broke by itself. */
function isCausedByItsTests(error: Error): boolean {
  return "failureType" in error && error.failureType === "subtestsFailed";
}

const options = process.argv.slice(2);
const prefixes = options.filter((option) => !option.startsWith("--"));
const print = (text: string) => process.stdout.write(text);
const outcomes: SuiteOutcome[] = [];
if (prefixes.length === 0 && !options.includes("--no-checks")) {
  outcomes.push(...runChecks(process.env, process.env["XCF_REQUIRE_ENGINES"] === "1", print));
  for (const outcome of outcomes) print(`${describeSuite(outcome)}\n`);
}
if (!options.includes("--checks")) {
  const files = findTestFiles(prefixes);
  if (!options.includes("--mesh")) {
    outcomes.push(
      ...(await runTests(
        files.filter((file) => !startsMeshes(file)),
        print,
      )),
    );
    // Twenty processes each, and judged by how soon they go on: one at a time.
    outcomes.push(...(await runTests(files.filter(startsMeshes), print, { concurrency: 1 })));
  }
  if (!options.includes("--embedded")) outcomes.push(...(await runOverMesh(files.filter(isForBothModes), print)));
}
for (const line of describeTotals(outcomes)) print(`${line}\n`);
if (outcomes.some((outcome) => outcome.failed > 0)) process.exitCode = 1;
