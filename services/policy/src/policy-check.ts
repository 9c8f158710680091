import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Problem } from "@xcloudflow/model/problems-found-error";
import { restrictCapabilities } from "./opa-capabilities.ts";
import { type OpaBinary, runOpa } from "./opa-cli.ts";
import { type OpaFiles, writeOpaFiles } from "./opa-files.ts";
import {
  mayHaveDoubtfulRules,
  readCheckErrors,
  readDataErrors,
  readDoubtfulRules,
  readForeignSchemas,
  readTestResults,
} from "./opa-problems.ts";
import type { PolicyBundle } from "./policy-bundle.ts";
import { PolicyUnavailableError } from "./policy-errors.ts";

/** Checks and tests bundles by running `opa` to its end; nothing stays resident. */
export interface PolicyChecker {
  /** Everything that keeps a bundle from being used, warnings included. No error among them: it may be started. */
  check(bundle: PolicyBundle): Promise<Problem[]>;
  /** `check`, and where that finds no error the Rego tests of the bundle. */
  test(bundle: PolicyBundle): Promise<{ readonly problems: Problem[]; readonly passed: number }>;
}

export interface PolicyCheckerOptions {
  readonly opa: OpaBinary;
  /** Where scratch folders are made. */
  readonly folder: string;
  readonly timeoutMs: number;
}

const MAX_ERRORS = "1000";
/** `opa test` exits with 2 when tests fail; their results are on stdout all the same. */
const TESTS_FAILED = 2;

export function createPolicyChecker({ opa, folder, timeoutMs }: PolicyCheckerOptions): PolicyChecker {
  let capabilities: Promise<string> | undefined;

  async function readCapabilities(): Promise<string> {
    const { stdout, stderr, exitCode } = await runOpa(opa.path, ["capabilities", "--current"], { timeoutMs });
    if (exitCode !== 0) throw new PolicyUnavailableError(`opa capabilities failed: ${stderr.trim()}`);
    return restrictCapabilities(stdout);
  }

  async function withFiles<T>(
    bundle: PolicyBundle,
    work: (files: OpaFiles, flags: string[]) => Promise<T>,
  ): Promise<T> {
    capabilities ??= readCapabilities();
    capabilities.catch(() => {
      capabilities = undefined;
    });
    const text = await capabilities;
    const files = await writeOpaFiles(bundle, folder);
    try {
      const path = join(files.folder, "capabilities.json");
      await writeFile(path, text);
      const flags = ["--capabilities", path, "--max-errors", MAX_ERRORS, "--format", "json", ...versionFlags(bundle)];
      return await work(files, flags);
    } finally {
      await files.remove();
    }
  }

  async function checkFiles(bundle: PolicyBundle, files: OpaFiles, flags: string[]): Promise<Problem[]> {
    const foreign = await findForeignSchemas(bundle, files);
    if (foreign.length > 0) return foreign;
    const answer = await runOpa(opa.path, ["check", ...flags, ...files.load], { cwd: files.cwd, timeoutMs });
    const errors = answer.exitCode === 0 ? [] : explain("check", answer.stdout + answer.stderr, readCheckErrors);
    if (errors.length > 0) return errors;
    return [...(await checkData(bundle, files)), ...(await findDoubtfulRules(bundle, files)), ...findUnasked(bundle)];
  }

  /** `opa check` reads no data; a query that needs nothing makes OPA load it beside the policies. */
  async function checkData(bundle: PolicyBundle, { data, load, cwd }: OpaFiles): Promise<Problem[]> {
    if (data.length === 0) return [];
    const args = [
      "eval",
      "--format",
      "json",
      ...versionFlags(bundle),
      ...load.flatMap((path) => ["--data", path]),
      "true",
    ];
    const answer = await runOpa(opa.path, args, { cwd, timeoutMs });
    return answer.exitCode === 0 ? [] : explain("eval", answer.stdout, readDataErrors);
  }

  /** Before OPA compiles anything, since compiling is what reads the schemas. */
  async function findForeignSchemas(bundle: PolicyBundle, files: OpaFiles): Promise<Problem[]> {
    if (!bundle.policies.some(({ content }) => new TextDecoder().decode(content).includes("METADATA"))) return [];
    const version = versionFlags(bundle);
    const answer = await runOpa(opa.path, ["inspect", "--annotations", "--format", "json", ...version, "."], {
      cwd: files.cwd,
      timeoutMs,
    });
    if (answer.exitCode === 0) return explain("inspect", answer.stdout, readForeignSchemas);
    const errors: Problem[] = [];
    for (const { path } of bundle.policies) {
      const parsed = await runOpa(opa.path, ["parse", "--format", "json", ...version, "--", path], {
        cwd: files.cwd,
        timeoutMs,
      });
      if (parsed.exitCode !== 0) errors.push(...explain("parse", parsed.stdout || parsed.stderr, readCheckErrors));
    }
    if (errors.length > 0) return errors;
    throw new PolicyUnavailableError(`opa inspect failed: ${(answer.stderr || answer.stdout).trim()}`);
  }

  async function findDoubtfulRules(bundle: PolicyBundle, files: OpaFiles): Promise<Problem[]> {
    const problems: Problem[] = [];
    for (const { path, content } of bundle.policies) {
      if (!mayHaveDoubtfulRules(new TextDecoder().decode(content))) continue;
      const flags = ["--format", "json", "--json-include", "locations,-comments", ...versionFlags(bundle)];
      const args = ["parse", ...flags, "--", path];
      const { stdout, stderr } = await runOpa(opa.path, args, { cwd: files.cwd, timeoutMs });
      problems.push(...explain("parse", stdout === "" ? stderr : stdout, (text) => readDoubtfulRules(path, text)));
    }
    return problems;
  }

  const check = (bundle: PolicyBundle): Promise<Problem[]> =>
    withFiles(bundle, (files, flags) => checkFiles(bundle, files, flags));

  const test: PolicyChecker["test"] = (bundle) =>
    withFiles(bundle, async (files, flags) => {
      const problems = await checkFiles(bundle, files, flags);
      const isBroken = problems.some(({ severity }) => severity === "error");
      if (isBroken || bundle.policies.length === 0) return { problems, passed: 0 };
      const answer = await runOpa(opa.path, ["test", ...flags, ...files.load], { cwd: files.cwd, timeoutMs });
      if (answer.exitCode !== 0 && answer.exitCode !== TESTS_FAILED) {
        throw new PolicyUnavailableError(`opa test failed: ${(answer.stderr || answer.stdout).trim()}`);
      }
      const results = explain("test", answer.stdout, readTestResults);
      return { problems: [...problems, ...results.problems], passed: results.passed };
    });

  return { check, test };
}

function versionFlags({ regoVersion }: PolicyBundle): string[] {
  return regoVersion === "v0" ? ["--v0-compatible"] : [];
}

function explain<T>(command: string, output: string, read: (output: string) => T): T {
  try {
    return read(output);
  } catch (cause) {
    throw new PolicyUnavailableError(`opa ${command} said ${JSON.stringify(output.slice(0, 300))}`, { cause });
  }
}

/** Policies in other packages are only asked by name, which is easily a slip of the pen. */
function findUnasked({ policies }: PolicyBundle): Problem[] {
  const judging = policies.filter(({ path }) => !path.endsWith("_test.rego"));
  const [first] = judging;
  if (first === undefined) return [];
  if (judging.some(({ content }) => /^\s*package\s+main\s*(#.*)?$/m.test(new TextDecoder().decode(content)))) return [];
  return [
    {
      file: first.path,
      line: 1,
      col: 1,
      code: "POLICY_NEVER_ASKED",
      message: "no policy is in package main, so none of them judges a plan",
      hint: "write `package main` in the files whose deny and warn rules are to be asked",
      severity: "warning",
    },
  ];
}
