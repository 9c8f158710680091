import { AsyncLocalStorage } from "node:async_hooks";
import { TransactionNestedError } from "./database-errors.ts";

interface TransactionContext {
  readonly name: string;
  readonly topics: Set<string>;
  open: boolean;
}

const running = new AsyncLocalStorage<TransactionContext>();

/** Asks that `topic`'s listeners be called once the running transaction has committed; nothing happens on a rollback. */
export function signalAfterCommit(topic: string): void {
  const context = running.getStore();
  if (context?.open) context.topics.add(topic);
}

/** The transaction this code runs in, if any: other I/O uses it to refuse being done inside one. */
export function currentTransaction(): string | undefined {
  const context = running.getStore();
  return context?.open ? context.name : undefined;
}

/** @throws {TransactionNestedError} when a transaction is already running here. */
export function refuseNesting(name: string): void {
  const outer = currentTransaction();
  if (outer !== undefined) throw new TransactionNestedError(outer, name);
}

/** Runs `work` as the inside of transaction `name` and returns the topics it signalled. */
export async function insideTransaction<T>(
  name: string,
  work: () => Promise<T>,
): Promise<{ result: T; topics: ReadonlySet<string> }> {
  const context: TransactionContext = { name, topics: new Set(), open: true };
  try {
    return { result: await running.run(context, work), topics: context.topics };
  } finally {
    context.open = false;
  }
}
