import { type DatabaseProblem, DatabaseUnavailableError } from "./database-errors.ts";
import { problemOf as postgresProblemOf } from "./postgres-problem.ts";
import { sqlState } from "./sql-state.ts";

/**
 * What an error says about the database as such. PGlite throws PostgreSQL's own errors, Node's when files cannot be
 * touched, and WebAssembly's or Emscripten's when the machine inside has died.
 */
export function explainPgliteError(
  error: unknown,
  where: string,
  outcome: "rolledBack" | "unknown",
  moment: "opening" | "running" = "running",
): DatabaseUnavailableError | undefined {
  if (error instanceof DatabaseUnavailableError) return error;
  const problem = problemOf(error, moment);
  if (problem === undefined) return undefined;
  const { what, hint } = ADVICE[problem];
  return new DatabaseUnavailableError(problem, {
    where,
    what: `${what}: ${messageOf(error)}`,
    hint,
    outcome,
    cause: error,
  });
}

const ADVICE: Readonly<Record<DatabaseProblem, { what: string; hint: string }>> = {
  unreachable: { what: "the database cannot be opened", hint: "check that the folder is there and try again" },
  permission: {
    what: "the database's files cannot be read or written",
    hint: "give your user read and write permission on the folder",
  },
  full: { what: "the disk is full", hint: "free some space, then try again; what was committed is kept" },
  wrongVersion: { what: "the database is of another version", hint: "use the XCloudFlow that made it" },
  corrupt: {
    what: "the database's files are damaged",
    hint: "restore the folder from a backup, or move it away to start anew",
  },
  closed: { what: "the database is closed", hint: "the process is shutting down; run the command again" },
  stopped: { what: "the database has stopped", hint: "run the command again; what was committed is kept" },
};

const FILE_CODES: Readonly<Record<string, DatabaseProblem>> = {
  EACCES: "permission",
  EPERM: "permission",
  EROFS: "permission",
  ENOSPC: "full",
  EDQUOT: "full",
  ENOTDIR: "unreachable",
  EISDIR: "corrupt",
  EIO: "corrupt",
};

/** Emscripten's errors have WASI's numbers (wasi-libc, `__wasi_errno_t`) and no code. */
const WASI_CODES: Readonly<Record<number, string>> = {
  2: "EACCES",
  19: "EDQUOT",
  29: "EIO",
  51: "ENOSPC",
  54: "ENOTDIR",
  63: "EPERM",
  69: "EROFS",
};

function fileCodeOf(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null) return undefined;
  if ("code" in error && typeof error.code === "string") return error.code;
  return "errno" in error && typeof error.errno === "number" ? WASI_CODES[error.errno] : undefined;
}

function problemOf(error: unknown, moment: "opening" | "running"): DatabaseProblem | undefined {
  const known = FILE_CODES[fileCodeOf(error) ?? ""];
  if (known) return known;
  const state = sqlState(error);
  if (state !== undefined) return postgresProblemOf(error);
  if (moment === "opening") return /no space left/i.test(messageOf(error)) ? "full" : "corrupt";
  return isMachineDeath(error) ? "stopped" : undefined;
}

function isMachineDeath(error: unknown): boolean {
  const name = typeof error === "object" && error !== null && "name" in error ? error.name : undefined;
  return (
    name === "RuntimeError" ||
    name === "ExitStatus" ||
    name === "ErrnoError" ||
    /PGlite (is closed|failed)|Aborted\(/i.test(messageOf(error))
  );
}

function messageOf(error: unknown): string {
  if (error instanceof Error) return error.message;
  const code = fileCodeOf(error);
  if (code !== undefined) return code;
  return typeof error === "object" && error !== null && "message" in error ? String(error.message) : String(error);
}
