import { CodedError } from "@xcloudflow/model/coded-error";

/** Thrown when the database cannot be opened, reached, or written to. */
export class DatabaseUnavailableError extends CodedError {
  readonly problem: DatabaseProblem;
  /** Whether a transaction that was being committed may have taken effect. */
  readonly outcome: "notStarted" | "rolledBack" | "unknown";

  constructor(
    problem: DatabaseProblem,
    parts: { where: string; what: string; hint: string; outcome?: "rolledBack" | "unknown"; cause?: unknown },
  ) {
    super(
      `DATABASE_${CODES[problem]}`,
      problem === "full" ? "exhausted" : problem === "corrupt" ? "dataLoss" : "unavailable",
      parts,
    );
    this.problem = problem;
    this.outcome = parts.outcome ?? "notStarted";
  }
}

export type DatabaseProblem = "unreachable" | "permission" | "full" | "wrongVersion" | "corrupt" | "closed" | "stopped";

const CODES: Readonly<Record<DatabaseProblem, string>> = {
  unreachable: "UNREACHABLE",
  permission: "PERMISSION_DENIED",
  full: "DISK_FULL",
  wrongVersion: "WRONG_VERSION",
  corrupt: "CORRUPT",
  closed: "CLOSED",
  stopped: "STOPPED",
};

/** Thrown when a transaction is started inside another one's work. */
export class TransactionNestedError extends CodedError {
  constructor(outer: string, inner: string) {
    super("TRANSACTION_NESTED", "internal", {
      what: `transaction ${inner} was started inside ${outer}`,
      hint: "pass tx down, or start the second after the first has committed",
    });
  }
}

/** Thrown when a transaction lost the race against others every time it was tried. */
export class TransactionContendedError extends CodedError {
  readonly attempts: number;

  constructor(name: string, attempts: number, cause: unknown) {
    super("TRANSACTION_CONTENDED", "conflict", {
      what: `transaction ${name} lost against concurrent ones ${attempts} times`,
      hint: "try again; nothing was changed",
      cause,
    });
    this.attempts = attempts;
  }
}

/** Thrown when a transaction is asked for with a role, tenant or name that cannot be right. */
export class ScopeInvalidError extends CodedError {
  constructor(where: string, what: string) {
    super("SCOPE_INVALID", "internal", { what, where, hint: "make scopes with tenantScope or systemScope" });
  }
}

/** Thrown when a schema has migrations this program does not know: a newer one has been here. */
export class SchemaNewerError extends CodedError {
  constructor(schema: string, migration: string) {
    super("SCHEMA_NEWER", "unavailable", {
      what: `schema ${schema} already has migration ${migration}, which this version of XCloudFlow does not know`,
      where: `schema ${schema}`,
      hint: "upgrade this XCloudFlow to the version that made it; going back is not possible",
    });
  }
}

/** Thrown when a schema lacks migrations that this program needs, and the program may not apply them itself. */
export class SchemaOlderError extends CodedError {
  constructor(schema: string, migration: string) {
    super("SCHEMA_OLDER", "unavailable", {
      what: `schema ${schema} lacks migration ${migration}`,
      where: `schema ${schema}`,
      hint: "run the migration job of this version first; the process goes on by itself then",
    });
  }
}

/** Thrown when a migration that was already applied says something else now. */
export class MigrationChangedError extends CodedError {
  constructor(schema: string, migration: string) {
    super("MIGRATION_CHANGED", "internal", {
      what: `migration ${migration} was applied with different statements than it has now`,
      where: `schema ${schema}`,
      hint: "never edit a migration that was released; add a new one",
    });
  }
}
