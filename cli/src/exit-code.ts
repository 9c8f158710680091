import { CodedError, type ErrorCategory } from "@xcloudflow/model/coded-error";

/** The documented exit codes of `xcf`; scripts and CI depend on them. */
export const EXIT = {
  done: 0,
  failed: 1,
  changes: 2,
  waiting: 3,
  denied: 4,
  invalid: 5,
  stale: 6,
} as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

const BY_CATEGORY: Partial<Record<ErrorCategory, ExitCode>> = {
  invalid: EXIT.invalid,
  // A name that the caller gave stands for nothing.
  notFound: EXIT.invalid,
  waiting: EXIT.waiting,
  denied: EXIT.denied,
  stale: EXIT.stale,
};

/** The one place where an error becomes an exit code. */
export function exitCodeOf(error: unknown): ExitCode {
  return error instanceof CodedError ? exitCodeOfCategory(error.category) : EXIT.failed;
}

function exitCodeOfCategory(category: string): ExitCode {
  for (const [name, code] of Object.entries(BY_CATEGORY)) if (name === category) return code;
  return EXIT.failed;
}
