import { CodedError } from "@xcloudflow/model/coded-error";
import { formatProblem, ProblemsFoundError } from "@xcloudflow/model/problems-found-error";
import { exitCodeOf } from "./exit-code.ts";
import type { ErrorOutput } from "./output/error-output.ts";
import type { Terminal } from "./terminal.ts";

/** One sentence of what, where and what to do; with `-o json` the same as an object. */
export function printError(terminal: Terminal, error: unknown, json: boolean): void {
  terminal.err(json ? `${JSON.stringify(describeError(error))}\n` : `${sentenceOf(error)}\n`);
}

function sentenceOf(error: unknown): string {
  if (error instanceof ProblemsFoundError && error.problems.length > 0)
    return error.problems.map(formatProblem).join("\n");
  // Of a run's record: it has the list as text.
  if (error instanceof CodedError && error.code === "PROBLEMS_FOUND") return error.what;
  if (error instanceof CodedError) return `xcf: ${error.message}`;
  // Nobody expected it, so the place in the program is what helps; it comes last, after the sentence.
  const place = error instanceof Error ? (error.stack ?? "").split("\n").slice(1).join("\n") : "";
  return `xcf: unexpected error: ${messageOf(error)} — ${REPORT}${place === "" ? "" : `\n${place}`}`;
}

export function describeError(error: unknown): ErrorOutput {
  const exitCode = exitCodeOf(error);
  if (!(error instanceof CodedError))
    return { error: { code: "UNEXPECTED", category: "internal", what: messageOf(error), hint: REPORT, exitCode } };
  const { code, category, what, where, hint } = error;
  return {
    error: {
      code,
      category,
      what,
      ...(where === undefined ? {} : { where }),
      ...(hint === undefined ? {} : { hint }),
      exitCode,
      ...(error instanceof ProblemsFoundError ? { problems: error.problems.map(withoutUndefined) } : {}),
    },
  };
}

const REPORT = "this is a mistake in XCloudFlow; please report it";

function withoutUndefined({ hint, ...problem }: ProblemsFoundError["problems"][number]) {
  return hint === undefined ? problem : { ...problem, hint };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
