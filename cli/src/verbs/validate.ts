import { formatProblem, hasErrors, type Problem } from "@xcloudflow/model/dsl/problem";
import { compileWorkTree } from "../compile-work-tree.ts";
import { EXIT, type ExitCode } from "../exit-code.ts";
import { problemsAsSarif, sarifSchema } from "../format/sarif.ts";
import { validateOutputSchema } from "../output/validate-output.ts";
import { findRepository } from "../repository-cli.ts";
import type { CommonOptions, Surroundings } from "../surroundings.ts";
import { printJson } from "../terminal.ts";
import { testWorkTreePolicies } from "../test-work-tree-policies.ts";

/** All problems of the work tree's files at once, policies and their tests included. 5 when one is an error. */
export async function validate(surroundings: Surroundings, options: CommonOptions): Promise<ExitCode> {
  const { terminal } = surroundings;
  const repository = await findRepository(surroundings.directory);
  const compiled = await compileWorkTree(repository);
  const policies = await testWorkTreePolicies(surroundings, repository);
  const problems: Problem[] = [...compiled.problems, ...policies.problems];
  const errors = problems.filter((problem) => problem.severity === "error").length;
  if (options.output === "json") printJson(terminal, validateOutputSchema, { valid: errors === 0, problems });
  else if (options.output === "sarif")
    printJson(terminal, sarifSchema, problemsAsSarif(problems, surroundings.version));
  else {
    for (const problem of problems) terminal.out(`${formatProblem(problem)}\n`);
    const { environments, compositions } = compiled.monorepo;
    const tests = policies.passed === 0 ? "" : `, ${policies.passed} policy tests passed`;
    terminal.out(
      hasErrors(problems)
        ? `${errors} error${errors === 1 ? "" : "s"}\n`
        : `Valid: ${environments.size} environment${environments.size === 1 ? "" : "s"}, ${compositions.size} composition${compositions.size === 1 ? "" : "s"}, ${compiled.units.length} unit${compiled.units.length === 1 ? "" : "s"}${tests}\n`,
    );
  }
  return hasErrors(problems) ? EXIT.invalid : EXIT.done;
}
