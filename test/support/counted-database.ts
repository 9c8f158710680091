import type { Database, Tx } from "@xcloudflow/database/database";

export interface StatementCounts {
  readonly statements: number;
  /** Of transactions that wrote something. */
  readonly commits: number;
  readonly byTransaction: ReadonlyMap<string, { readonly transactions: number; readonly statements: number }>;
}

/** The same database, counting what its transactions send; opening and closing them is not counted. */
export function countStatements(database: Database): {
  database: Database;
  counts: () => StatementCounts;
  reset: () => void;
} {
  let commits = 0;
  const byTransaction = new Map<string, { transactions: number; statements: number }>();
  const counted: Database = {
    ...database,
    transaction: (scope, work) => {
      const entry = byTransaction.get(scope.name) ?? { transactions: 0, statements: 0 };
      byTransaction.set(scope.name, entry);
      entry.transactions += 1;
      let wrote = false;
      return database
        .transaction(scope, (tx) =>
          work(
            watched(tx, (text) => {
              entry.statements += 1;
              wrote ||= /^\s*(insert|update|delete|with w0)\b/.test(text);
            }),
          ),
        )
        .finally(() => {
          if (wrote) commits += 1;
        });
    },
  };
  return {
    database: counted,
    counts: () => ({
      statements: [...byTransaction.values()].reduce((total, entry) => total + entry.statements, 0),
      commits,
      byTransaction,
    }),
    reset() {
      commits = 0;
      byTransaction.clear();
    },
  };
}

interface Executor {
  executeQuery(query: { readonly sql: string }, ...rest: unknown[]): unknown;
}

/** Statements go out by the transaction or by its executor, whichever way they were made. */
function watched<Tables>(tx: Tx<Tables>, sent: (text: string) => void): Tx<Tables> {
  return new Proxy(tx, {
    get(target, key) {
      if (key === "executeQuery") return counting(target as unknown as Executor, sent);
      if (key === "getExecutor")
        return () => {
          const executor = target.getExecutor();
          return new Proxy(executor, {
            get: (inner, name) =>
              name === "executeQuery" ? counting(inner as unknown as Executor, sent) : bound(inner, name),
          });
        };
      return bound(target, key);
    },
  });
}

function counting(target: Executor, sent: (text: string) => void): Executor["executeQuery"] {
  return (query, ...rest) => {
    sent(query.sql);
    return target.executeQuery(query, ...rest);
  };
}

function bound(target: object, key: PropertyKey): unknown {
  const value: unknown = Reflect.get(target, key);
  return typeof value === "function" ? value.bind(target) : value;
}
