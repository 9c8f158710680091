import type { Transaction } from "kysely";

/**
 * The seam for the database: PostgreSQL in the mesh, PGlite in the embedded mode, each a sibling file with the same shape.
 *
 * There is one way in, `transaction`, because everything that must hold for every statement is tied to it: the first
 * statement switches to the service's own role and names the tenant, so that row-level security decides what is seen; a
 * transaction gets `tx` and nothing else, cannot be nested, and is run again when the database says that it lost a race
 * (so `work` must have no effect outside `tx`). `name` is stable and unique (`orchestrator.claim-task`): crash tests list
 * transactions by it and kill the process around each.
 */
export interface Database<Tables = unknown> {
  /**
   * Runs `work` in one transaction and commits when its promise resolves; rolls back and rethrows when it rejects.
   *
   * @throws {TransactionNestedError} when called inside another transaction's `work`.
   * @throws {TransactionContendedError} when it lost the race too often.
   * @throws {DatabaseUnavailableError} when the database cannot be reached, opened or written.
   */
  transaction<T>(scope: Scope, work: (tx: Tx<Tables>) => Promise<T>): Promise<T>;
  /** The same database seen through one service's tables, named with their schema: `{"orchestrator.runs": RunsTable}`. */
  withTables<Other>(): Database<Other>;
  /** Calls `listener` after each commit of a transaction that asked for `topic` by `signalAfterCommit`. */
  onSignal(topic: string, listener: () => void): () => void;
}

/** What only the process that opened the database holds: it may change schemas and close. */
export interface OwnedDatabase extends Database {
  /** A transaction as the user who opened the database, for migrations and checks: no role switched, no tenant named. */
  asOwner<T>(name: string, work: (tx: Tx<unknown>) => Promise<T>): Promise<T>;
  /** Waits for running transactions, then lets go of the database. */
  close(): Promise<void>;
}

export type Tx<Tables> = Transaction<Tables>;

export interface Scope {
  /** Whose rows are seen; `*` (everybody's) only with a system role. Use `tenantScope` or `systemScope`. */
  readonly tenant: string;
  /** The database role to switch to, such as `xcf_orchestrator`. */
  readonly role: string;
  /** Stable name of the transaction, such as `orchestrator.claim-task`. */
  readonly name: string;
  /** Default `read committed`: lock what you decide on (`for update`), or ask for `serializable`. */
  readonly isolation?: "read committed" | "repeatable read" | "serializable";
}
