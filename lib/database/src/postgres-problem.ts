import { type DatabaseProblem, DatabaseUnavailableError } from "./database-errors.ts";
import { sqlState } from "./sql-state.ts";

/**
 * What an error says about the database as such, by SQLSTATE class (PostgreSQL manual, appendix A) or, below the protocol,
 * by the socket's error code. Undefined for an error about a statement.
 */
export function explainPostgresError(
  error: unknown,
  where: string,
  outcome: "rolledBack" | "unknown",
): DatabaseUnavailableError | undefined {
  if (error instanceof DatabaseUnavailableError) return error;
  const problem = problemOf(error);
  if (problem === undefined) return undefined;
  const { what, hint } = ADVICE[problem];
  const doubt =
    outcome === "unknown" && problem === "unreachable" ? "; whether the last change was kept is not known" : "";
  return new DatabaseUnavailableError(problem, {
    where,
    what: `${what}: ${messageOf(error)}${doubt}`,
    hint,
    outcome,
    cause: error,
  });
}

const ADVICE: Readonly<Record<DatabaseProblem, { what: string; hint: string }>> = {
  unreachable: {
    what: "the database cannot be reached",
    hint: "check that it runs and that address and network are right, then try again",
  },
  permission: {
    what: "the database refuses access",
    hint: "check the user, its password and its membership in the xcf_ roles",
  },
  full: { what: "the database's disk is full", hint: "free some space, then try again; nothing was lost" },
  wrongVersion: { what: "the database is of another version", hint: "use PostgreSQL 15 or newer" },
  corrupt: { what: "the database's files are damaged", hint: "restore it from a backup" },
  closed: { what: "the database is closed", hint: "the process is shutting down; run the command again" },
  stopped: { what: "the database has stopped", hint: "start it again; committed changes are kept" },
};

const SOCKET_CODES = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "ENOTFOUND",
  "ETIMEDOUT",
  "EPIPE",
  "ENOENT",
  "EHOSTUNREACH",
  "EAI_AGAIN",
]);

export function problemOf(error: unknown): DatabaseProblem | undefined {
  const state = sqlState(error);
  if (state === "53100") return "full";
  if (state === "XX001" || state === "XX002" || state === "58P01") return "corrupt";
  if (state === "28000" || state === "28P01" || state === "3D000") return "permission";
  if (state === "42501" && error instanceof Error && /set role/.test(error.message)) return "permission";
  if (state?.startsWith("57P") || state?.startsWith("08") || state === "53300") return "unreachable";
  if (state === "58030") return "stopped";
  if (error instanceof AggregateError) return error.errors.map(problemOf).find((problem) => problem !== undefined);
  if (!(error instanceof Error)) return undefined;
  if ("code" in error && typeof error.code === "string" && SOCKET_CODES.has(error.code)) return "unreachable";
  if (
    /^(Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error)/.test(
      error.message,
    )
  )
    return "unreachable";
  return undefined;
}

function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return messageOf(error.errors[0]);
  return error instanceof Error ? error.message : String(error);
}
