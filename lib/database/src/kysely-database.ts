import { SpanKind } from "@opentelemetry/api";
import { type Clock, pause } from "@xcloudflow/chassis/clock";
import type { Random } from "@xcloudflow/chassis/random";
import { inChildSpan } from "@xcloudflow/chassis/tracing";
import { type Kysely, sql } from "kysely";
import type { Database, OwnedDatabase, Scope, Tx } from "./database.ts";
import { DatabaseUnavailableError, TransactionContendedError } from "./database-errors.ts";
import { transactionDuration } from "./database-metrics.ts";
import { checkScope } from "./scope.ts";
import { isLostRace, isWriteRefused } from "./sql-state.ts";
import { insideTransaction, refuseNesting } from "./transaction-context.ts";

/** What the two databases have in common is all of this; a driver brings the rest. */
export interface DatabaseDriver {
  readonly kysely: Kysely<unknown>;
  /** Runs a transaction when the driver can take it: at once, or when the one connection is free. */
  admit<T>(run: () => Promise<T>): Promise<T>;
  /** A coded error for what the driver threw, or undefined when the error is about a statement, not the database. */
  explain(error: unknown, outcome: "rolledBack" | "unknown"): DatabaseUnavailableError | undefined;
  /** Why nothing may be written now, though reading is fine; asked before each transaction. */
  refuseWrites?(): Promise<DatabaseUnavailableError | undefined>;
  close(): Promise<void>;
}

/** What every database needs from its process. */
export interface DatabaseSurroundings {
  readonly clock: Clock;
  readonly random: Random;
}

const MOST_ATTEMPTS = 12;
const FIRST_DELAY_MS = 4;
const LONGEST_DELAY_MS = 500;

export function createKyselyDatabase(driver: DatabaseDriver, { clock, random }: DatabaseSurroundings): OwnedDatabase {
  const listeners = new Map<string, Set<() => void>>();
  const running = new Set<Promise<unknown>>();
  let closing: Promise<void> | undefined;

  async function attempt<T>(
    name: string,
    isolation: Scope["isolation"],
    work: (tx: Tx<unknown>) => Promise<T>,
  ): Promise<T> {
    let committing = false;
    try {
      const builder = driver.kysely.transaction();
      const isolated = isolation === undefined ? builder : builder.setIsolationLevel(isolation);
      const { result, topics } = await insideTransaction(name, () =>
        isolated.execute(async (tx) => {
          const value = await work(tx);
          committing = true;
          return value;
        }),
      );
      // Not from here: what a listener throws must not look as if the transaction had failed.
      for (const topic of topics) for (const listener of listeners.get(topic) ?? []) queueMicrotask(listener);
      return result;
    } catch (error) {
      throw driver.explain(error, committing ? "unknown" : "rolledBack") ?? error;
    }
  }

  async function untilWon<T>(
    name: string,
    isolation: Scope["isolation"],
    work: (tx: Tx<unknown>) => Promise<T>,
  ): Promise<T> {
    for (let tries = 1; ; tries++) {
      try {
        return await driver.admit(() => attempt(name, isolation, work));
      } catch (error) {
        if (!isLostRace(error)) throw error;
        if (tries === MOST_ATTEMPTS) throw new TransactionContendedError(name, tries, error);
        await pause(clock, Math.min(FIRST_DELAY_MS * 2 ** tries, LONGEST_DELAY_MS) * random.float());
      }
    }
  }

  async function run<T>(
    name: string,
    isolation: Scope["isolation"],
    work: (tx: Tx<unknown>) => Promise<T>,
  ): Promise<T> {
    if (closing) throw closedError();
    const transaction = untilWon(name, isolation, work);
    running.add(transaction);
    try {
      return await transaction;
    } finally {
      running.delete(transaction);
    }
  }

  /** As `run`; where nothing may be written, `work` is told so, and the reason is the error of what writes all the same. */
  async function admitted<T>(
    name: string,
    isolation: Scope["isolation"],
    work: (tx: Tx<unknown>, readOnly: boolean) => Promise<T>,
  ): Promise<T> {
    refuseNesting(name);
    const refusal = await driver.refuseWrites?.();
    try {
      return await run(name, isolation, (tx) => work(tx, refusal !== undefined));
    } catch (error) {
      throw refusal !== undefined && isWriteRefused(error) ? refusal : error;
    }
  }

  const database: OwnedDatabase = {
    async transaction(scope, work) {
      checkScope(scope);
      const attributes = { "db.system.name": "postgresql", "xcf.tenant": scope.tenant };
      return await inChildSpan(scope.name, { kind: SpanKind.CLIENT, attributes }, () =>
        measured(scope.name, () =>
          admitted(scope.name, scope.isolation, async (tx, readOnly) => {
            await enterScope(tx, scope, readOnly);
            return await work(tx);
          }),
        ),
      );
    },
    withTables<Other>(): Database<Other> {
      return {
        // Tables are a type only, nothing at run time could check them; this is the one place that says so.
        transaction: (scope, work) => database.transaction(scope, (tx) => work(tx as unknown as Tx<Other>)),
        withTables: database.withTables,
        onSignal: database.onSignal,
      };
    },
    onSignal(topic, listener) {
      const known = listeners.get(topic) ?? new Set();
      listeners.set(topic, known.add(listener));
      return () => known.delete(listener);
    },
    async asOwner(name, work) {
      return await admitted(name, undefined, async (tx, readOnly) => {
        if (readOnly) await sql`set transaction read only`.execute(tx);
        return await work(tx);
      });
    },
    async close() {
      closing ??= Promise.allSettled(running).then(() => driver.close());
      await closing;
    },
  };
  return database;
}

async function measured<T>(name: string, work: () => Promise<T>): Promise<T> {
  const started = performance.now();
  const end = (outcome: string): void =>
    transactionDuration.record((performance.now() - started) / 1_000, { transaction: name, outcome });
  try {
    const result = await work();
    end("committed");
    return result;
  } catch (error) {
    end("failed");
    throw error;
  }
}

async function enterScope(tx: Tx<unknown>, { role, tenant }: Scope, readOnly: boolean): Promise<void> {
  const settings = sql`set_config('role', ${role}, true), set_config('xcf.tenant', ${tenant}, true)`;
  await (readOnly
    ? sql`select ${settings}, set_config('transaction_read_only', 'on', true)`
    : sql`select ${settings}`
  ).execute(tx);
}

function closedError(): DatabaseUnavailableError {
  return new DatabaseUnavailableError("closed", {
    where: "database",
    what: "the database is closed",
    hint: "the process is shutting down; run the command again",
  });
}
