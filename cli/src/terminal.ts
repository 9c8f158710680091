import { CodedError } from "@xcloudflow/model/coded-error";
import type { z } from "zod";

/** Where a verb's words go. Passed in, so that verbs run the same in tests and in a process. */
export interface Terminal {
  /** The verb's result: text, or exactly one JSON document with `-o json`. */
  out(text: string): void;
  /** Progress, warnings and errors. */
  err(text: string): void;
  /** Rewrites the last lines of standard error; only where a person watches. */
  readonly live: boolean;
  readonly columns: number;
  readonly color: boolean;
}

/** Thrown when a result is not of the form that is published for it: most likely the server is of another version. */
export class OutputUnexpectedError extends CodedError {
  constructor(cause: z.ZodError) {
    const [issue] = cause.issues;
    super("OUTPUT_UNEXPECTED", "internal", {
      where: issue?.path.join("."),
      what: `the result cannot be printed as JSON: ${issue?.message ?? "wrong shape"}`,
      hint: "leave out -o json; the control plane and this xcf may be of different versions",
      cause,
    });
  }
}

/** Prints a result as the JSON that `schema` promises. */
export function printJson(terminal: Terminal, schema: z.ZodType, value: unknown): void {
  const result = schema.safeParse(value);
  if (!result.success) throw new OutputUnexpectedError(result.error);
  terminal.out(`${JSON.stringify(result.data, undefined, 2)}\n`);
}
