import type { Bus } from "@xcloudflow/chassis/bus";
import type { CancelTimer, Clock } from "@xcloudflow/chassis/clock";
import { eventHeaders } from "@xcloudflow/chassis/event";
import { sql } from "kysely";
import type { Database } from "./database.ts";
import { outboxTopic } from "./outbox.ts";
import { createRelayLease } from "./relay-lease.ts";
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
  /** Where several processes relay the same service's outbox; its schema then has `relayTable`. Default: this one alone. */
  readonly replicas?: RelayReplicas;
}

export interface RelayReplicas {
  /** Unique among running processes. */
  readonly holder: string;
  /** After how long another takes over from one that died, in milliseconds. */
  readonly leaseMs: number;
  /** Between processes; a lost one costs `pollMs`. */
  readonly signals: {
    send(topic: string): void;
    listen(topic: string, listener: () => void): () => void;
  };
  /** Events published at a time. */
  readonly inFlight: number;
  /** Told when the bus had lost what was published, and how many events are published again. */
  readonly onStoreLost?: (events: number) => void;
}

/**
 * Publishes one service's outbox: at least once, in order, each with its event's id as message id. Of several replicas one
 * does it at a time, many events at once: those after one that failed may then come before it.
 */
export interface Relay {
  /**
   * Resolves when everything committed before the call is published, or another replica is at it.
   *
   * @throws what database or bus threw.
   */
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
  const { database, bus, clock, service, pollMs, keepMs, onError, lingerMs = 0, replicas } = options;
  const batch = replicas?.inFlight ?? BATCH;
  const lease = replicas && createRelayLease(database, service, clock, { ...replicas, durationMs: replicas.leaseMs });
  const table = sql.table(`${service}.outbox`);
  const topic = outboxTopic(service);
  let closed = false;
  let round: Promise<void> = Promise.resolve();
  let queued: Promise<void> | undefined;
  let timer: CancelTimer = () => undefined;
  let lingering: CancelTimer | undefined;
  let cleanedAt = Number.NEGATIVE_INFINITY;
  let lookedAt = Number.NEGATIVE_INFINITY;

  async function readBatch(): Promise<readonly Row[]> {
    return await database.transaction(systemScope(service, "outbox.read"), async (tx) => {
      const { rows } = await sql<Row>`select position, id, subject, event from ${table}
        where published_at is null order by position limit ${batch}`.execute(tx);
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

  /** In order; all at once where replicas relay. Nothing that was not published is marked, and nothing that was is not. */
  async function publish(rows: readonly Row[]): Promise<void> {
    const send = ({ id, subject, event }: Row) =>
      bus.publish(subject, { id, data: event, headers: eventHeaders(event) });
    if (lease === undefined) {
      for (const row of rows) await send(row);
      if (rows.length > 0) await markPublished(rows);
      return;
    }
    const outcomes = await Promise.allSettled(rows.map(send));
    const published = rows.filter((_, index) => outcomes[index]?.status === "fulfilled");
    if (published.length > 0) await markPublished(published);
    const failed = outcomes.find((outcome) => outcome.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  }

  async function publishAll(): Promise<void> {
    if (lease !== undefined && !(await lease.hold())) return replicas?.signals.send(topic);
    await noteStore();
    while (!closed) {
      const rows = await readBatch();
      if (lease !== undefined && !lease.isHeld() && !(await lease.hold())) return;
      await publish(rows);
      if (rows.length < batch) return;
      await noteStore();
    }
  }

  /** What the bus has lost is found within `pollMs`, also when nothing happens. */
  async function noteStore(): Promise<void> {
    const now = clock.now().getTime();
    if (lease === undefined || bus.storeIdentity === undefined || now - lookedAt < pollMs / 2) return;
    const lost = await lease.noteStore(await bus.storeIdentity());
    lookedAt = now;
    if (lost > 0) replicas?.onStoreLost?.(lost);
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

  const forget = database.onSignal(topic, linger);
  // Not passed on: whoever sent it holds no lease, and two that hold none must not call each other for ever.
  const ignore = replicas?.signals.listen(topic, () => {
    if (lease?.isHeld()) linger();
  });
  poll();

  return {
    flush: nextRound,
    async close() {
      closed = true;
      forget();
      ignore?.();
      timer();
      lingering?.();
      await (queued ?? round).catch(() => undefined);
      await lease?.release().catch(onError);
    },
  };
}
