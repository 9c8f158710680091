import { CodedError } from "@xcloudflow/model/coded-error";
import { formatProblem, ProblemsFoundError } from "@xcloudflow/model/problems-found-error";
import { exitCodeOf } from "./exit-code.ts";
import type { Terminal } from "./terminal.ts";

/** One sentence of what, where and what to do; with `-o json` the same as an object. */
export function printError(terminal: Terminal, error: unknown, json: boolean): void {
  terminal.err(json ? `${JSON.stringify(describeError(error))}\n` : `${sentenceOf(error)}\n`);
}

function sentenceOf(error: unknown): string {
  if (error instanceof ProblemsFoundError) return error.problems.map(formatProblem).join("\n");
  if (error instanceof CodedError) return `xcf: ${error.message}`;
  return `xcf: unexpected error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
}

function describeError(error: unknown): object {
  const exitCode = exitCodeOf(error);
  if (!(error instanceof CodedError))
    return { error: { code: "UNEXPECTED", what: error instanceof Error ? error.message : String(error), exitCode } };
  const { code, category, what, where, hint } = error;
  const problems = error instanceof ProblemsFoundError ? { problems: error.problems } : {};
  return {
    error: {
      code,
      category,
      what,
      ...(where === undefined ? {} : { where }),
      ...(hint === undefined ? {} : { hint }),
      exitCode,
      ...problems,
    },
  };
}
