import type { Bus } from "@xcloudflow/chassis/bus";
import type { CancelTimer, Clock } from "@xcloudflow/chassis/clock";
import { CLOUD_EVENT_CONTENT_TYPE } from "@xcloudflow/chassis/event";
import { sql } from "kysely";
import type { Database } from "./database.ts";
import { outboxTopic } from "./outbox.ts";
import { systemScope } from "./scope.ts";

export interface RelayOptions {
  readonly database: Database;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly service: string;
  /** How often to look without a signal: for other processes' commits and after failures. */
  readonly pollMs: number;
  /** How long to wait after a signal for more events to publish with it. Default 0. */
  readonly lingerMs?: number;
  /** How long published events stay, to be published again should the bus lose them. */
  readonly keepMs: number;
  /** Told when a round failed; the next one tries again. */
  readonly onError: (error: unknown) => void;
}

/** Publishes one service's outbox: at least once, in order, each with its event's id as message id. */
export interface Relay {
  /** Resolves when everything committed before the call is published. @throws what database or bus threw. */
  flush(): Promise<void>;
  /** Stops after the batch it is at. */
  close(): Promise<void>;
}

interface Row {
  readonly position: bigint;
  readonly id: string;
  readonly subject: string;
  readonly event: Uint8Array;
}

const BATCH = 100;
/** Old events need not go the moment they are old enough. */
const CLEAN_MS = 60_000;

/** Starts at once with what an earlier process left behind. */
export function createRelay(options: RelayOptions): Relay {
  const { database, bus, clock, service, pollMs, keepMs, onError, lingerMs = 0 } = options;
  const table = sql.table(`${service}.outbox`);
  let closed = false;
  let round: Promise<void> = Promise.resolve();
  let queued: Promise<void> | undefined;
  let timer: CancelTimer = () => undefined;
  let lingering: CancelTimer | undefined;
  let cleanedAt = Number.NEGATIVE_INFINITY;

  async function readBatch(): Promise<readonly Row[]> {
    return await database.transaction(systemScope(service, "outbox.read"), async (tx) => {
      const { rows } = await sql<Row>`select position, id, subject, event from ${table}
        where published_at is null order by position limit ${BATCH}`.execute(tx);
      return rows;
    });
  }

  async function markPublished(rows: readonly Row[]): Promise<void> {
    const ids = rows.map(({ id }) => id);
    const now = clock.now().getTime();
    const clean = now - cleanedAt >= Math.min(CLEAN_MS, keepMs);
    await database.transaction(systemScope(service, "outbox.mark"), async (tx) => {
      await sql`update ${table} set published_at = ${clock.now()} where id = any (${ids}::text[])`.execute(tx);
      if (clean) await sql`delete from ${table} where published_at < ${new Date(now - keepMs)}`.execute(tx);
    });
    if (clean) cleanedAt = now;
  }

  async function publishAll(): Promise<void> {
    while (!closed) {
      const rows = await readBatch();
      for (const { id, subject, event } of rows) {
        await bus.publish(subject, { id, data: event, headers: { "Content-Type": CLOUD_EVENT_CONTENT_TYPE } });
      }
      if (rows.length > 0) await markPublished(rows);
      if (rows.length < BATCH) return;
    }
  }

  /** A round that begins after the running one, shared by everybody who asks meanwhile. */
  function nextRound(): Promise<void> {
    queued ??= round
      .catch(() => undefined)
      .then(() => {
        queued = undefined;
        round = publishAll();
        return round;
      });
    return queued;
  }

  function wake(): void {
    if (!closed) nextRound().catch(onError);
  }

  function linger(): void {
    if (lingerMs === 0) wake();
    else
      lingering ??= clock.schedule(lingerMs, () => {
        lingering = undefined;
        wake();
      });
  }

  function poll(): void {
    wake();
    timer = clock.schedule(pollMs, poll);
  }

  const forget = database.onSignal(outboxTopic(service), linger);
  poll();

  return {
    flush: nextRound,
    async close() {
      closed = true;
      forget();
      timer();
      lingering?.();
      await (queued ?? round).catch(() => undefined);
    },
  };
}
