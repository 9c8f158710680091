import { compileMonorepo } from "@xcloudflow/model/dsl/monorepo";
import { EXIT, type ExitCode, exitCodeOf } from "../exit-code.ts";
import { RunLeftError } from "../follow-run.ts";
import { changeSetMarkdown } from "../format/change-set-markdown.ts";
import { changeSetText } from "../format/change-set-text.ts";
import { plansOutputSchema } from "../output/change-set-output.ts";
import { describeError, printError } from "../print-error.ts";
import { readWorkTree } from "../read-work-tree.ts";
import { findRepository, readCommitFiles, resolveCommit } from "../repository-cli.ts";
import { openSession } from "../session.ts";
import type { Surroundings } from "../surroundings.ts";
import { printJson } from "../terminal.ts";
import { type Planned, type PlanOptions, planExitCode, runPlan, showEmptyPlan } from "./plan.ts";

type Outcome = { readonly environment: string } & (Planned | { readonly error: unknown });

/**
 * Plans every environment the commit declares, one after the other. One that fails does not keep the others from being
 * planned. The exit code is the worst: a failure's, then 4, then 2.
 */
export async function planAll(surroundings: Surroundings, options: PlanOptions): Promise<ExitCode> {
  const environments = await listEnvironments(surroundings, options);
  const session = await openSession(surroundings, options);
  const outcomes: Outcome[] = [];
  try {
    for (const environment of environments) {
      try {
        const planned = await runPlan(surroundings, session, "plan", { ...options, env: environment });
        outcomes.push({ environment, ...planned });
      } catch (error) {
        if (error instanceof RunLeftError) throw error;
        outcomes.push({ environment, error });
      }
      const latest = outcomes.at(-1);
      if (options.output !== "json" && latest !== undefined) print(surroundings, latest, options.output);
    }
  } finally {
    session.close();
  }
  if (options.output === "json") printJson(surroundings.terminal, plansOutputSchema, outcomes.map(show));
  return worst(outcomes);
}

async function listEnvironments({ directory }: Surroundings, options: PlanOptions): Promise<string[]> {
  const repository = await findRepository(directory);
  const files =
    options.dirty === true
      ? await readWorkTree(repository)
      : await readCommitFiles(repository, await resolveCommit(repository, options.head ?? "HEAD"), ["envs"]);
  // Whatever is wrong in the files is the planner's to say, for each environment.
  const { monorepo } = compileMonorepo(files, { folderExists: () => true });
  return [...monorepo.environments.keys()].sort();
}

function print({ terminal }: Surroundings, outcome: Outcome, output: string | undefined): void {
  if ("error" in outcome) {
    terminal.err(`${outcome.environment}: `);
    printError(terminal, outcome.error, false);
  } else if (outcome.changeSet === undefined) {
    terminal.out(
      output === "markdown"
        ? `### XCloudFlow plan for \`${outcome.environment}\`\n\nNothing to change.\n\n`
        : `${outcome.environment}: nothing to change.\n\n`,
    );
  } else {
    const format = output === "markdown" ? changeSetMarkdown : changeSetText;
    terminal.out(`${format(outcome.changeSet)}\n`);
  }
}

function show(outcome: Outcome): object {
  if ("error" in outcome) return { environment: outcome.environment, ...describeError(outcome.error) };
  return outcome.changeSet ?? { ...showEmptyPlan(outcome.run), environment: outcome.environment };
}

function worst(outcomes: readonly Outcome[]): ExitCode {
  const failed = outcomes.find((outcome) => "error" in outcome);
  if (failed !== undefined && "error" in failed) return exitCodeOf(failed.error);
  const codes = outcomes.map((outcome) => ("error" in outcome ? EXIT.failed : planExitCode(outcome.changeSet)));
  return [EXIT.denied, EXIT.changes].find((code) => codes.includes(code)) ?? EXIT.done;
}
