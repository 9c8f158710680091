import { z } from "zod";

/** Something wrong, or odd, in what people wrote. Lines and columns count from 1, columns in UTF-16 units. */
export const problemSchema = z.strictObject({
  file: z.string(),
  line: z.number().int().positive(),
  col: z.number().int().positive(),
  endLine: z.number().int().positive().optional(),
  endCol: z.number().int().positive().optional(),
  /** Stable, UPPER_SNAKE. */
  code: z.string(),
  message: z.string(),
  hint: z.string(),
  severity: z.enum(["error", "warning"]),
});
export type Problem = z.infer<typeof problemSchema>;

/** `file:line:col  message  hint`, as `xcf validate` prints it. */
export function formatProblem(problem: Problem): string {
  const kind = problem.severity === "warning" ? "warning: " : "";
  const hint = problem.hint === "" ? "" : `  ${problem.hint}`;
  return `${problem.file}:${problem.line}:${problem.col}  ${kind}${problem.message}${hint}`;
}

export function compareProblems(a: Problem, b: Problem): number {
  return compareText(a.file, b.file) || a.line - b.line || a.col - b.col || compareText(a.code, b.code);
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

export function hasErrors(problems: readonly Problem[]): boolean {
  return problems.some((problem) => problem.severity === "error");
}
