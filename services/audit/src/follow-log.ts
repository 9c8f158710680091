import type { AuditContext } from "./audit-context.ts";
import { readType } from "./entry-filter.ts";
import { readEntries, type StoredEntry } from "./entry-store.ts";
import { APPENDED } from "./log-store.ts";

const PAGE = 200;
/** Other processes' appends give no signal here. */
const POLL_MS = 1_000;

/** Entries from an index on, oldest first: those that are there, then each as it is appended, until `signal` ends it. */
export async function* followLog(
  context: AuditContext,
  tenant: string,
  fromIndex: bigint,
  type: string,
  signal: AbortSignal,
): AsyncGenerator<StoredEntry> {
  let wake = Promise.withResolvers<void>();
  const awake = (): void => wake.resolve();
  const forget = context.database.onSignal(APPENDED, awake);
  signal.addEventListener("abort", awake);
  const wanted = readType(type);
  let next = fromIndex;
  try {
    while (!signal.aborted) {
      wake = Promise.withResolvers();
      const entries = await readEntries(context, tenant, next, PAGE, wanted);
      for (const { index, leaf } of entries) {
        yield { index, leaf };
        next = index + 1n;
      }
      if (entries.length === PAGE) continue;
      const cancel = context.clock.schedule(POLL_MS, awake);
      await wake.promise;
      cancel();
    }
  } finally {
    forget();
    signal.removeEventListener("abort", awake);
  }
}

/** The entries below `size`, oldest first. */
export async function* readLog(context: AuditContext, tenant: string, size: number): AsyncGenerator<StoredEntry> {
  let next = 0n;
  while (next < BigInt(size)) {
    const entries = await readEntries(context, tenant, next, PAGE);
    for (const { index, leaf } of entries) if (index < BigInt(size)) yield { index, leaf };
    const last = entries.at(-1);
    if (last === undefined) return;
    next = last.index + 1n;
  }
}
