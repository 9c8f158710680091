import { CodedError } from "./coded-error.ts";

/** One thing wrong in a file people wrote. `line` and `col` count from 1; 0 means the file as a whole. */
export interface Problem {
  readonly file: string;
  readonly line: number;
  readonly col: number;
  /** Stable, UPPER_SNAKE: `KEY_UNKNOWN`, `REFERENCE_MISSING` … */
  readonly code: string;
  readonly message: string;
  readonly hint: string | undefined;
  readonly severity: "error" | "warning";
}

/** Thrown when files people wrote hold errors; `problems` has all of them at once, warnings included. */
export class ProblemsFoundError extends CodedError {
  readonly problems: readonly Problem[];

  /**
   * @param where what was read: a commit, a folder, a bundle.
   * @param what for a list that was shortened on its way: the sentence over all of it.
   */
  constructor(problems: readonly Problem[], where?: string, what = summarizeProblems(problems)) {
    super("PROBLEMS_FOUND", "invalid", {
      what,
      where,
      hint: "correct what is listed; `xcf validate` checks without planning",
    });
    this.problems = problems;
  }
}

/** `file:line:col  message  hint`, the one form in which every verb prints a problem. */
export function formatProblem({ file, line, col, message, hint }: Problem): string {
  const place = line === 0 ? file : `${file}:${line}:${col}`;
  return hint === undefined || hint === "" ? `${place}  ${message}` : `${place}  ${message}  ${hint}`;
}

function summarizeProblems(problems: readonly Problem[]): string {
  const errors = problems.filter(({ severity }) => severity === "error");
  const [first] = errors.length > 0 ? errors : problems;
  if (first === undefined) return "the files are not valid";
  const count = errors.length === 1 ? "1 error" : `${errors.length} errors`;
  return `${count}, the first at ${formatProblem({ ...first, hint: undefined })}`;
}
