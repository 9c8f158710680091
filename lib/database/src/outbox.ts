import { encodeEvent, eventSubject, type XcfEvent } from "@xcloudflow/chassis/event";
import { type Generated, sql } from "kysely";
import type { Tx } from "./database.ts";
import { tenantTable } from "./tenant-table.ts";
import { signalAfterCommit } from "./transaction-context.ts";

/** A row per event, written in the transaction that makes it true, published afterwards by the relay. */
export interface OutboxTable {
  readonly tenant: Generated<string>;
  readonly position: Generated<bigint>;
  readonly id: string;
  readonly subject: string;
  /** CloudEvents JSON, byte for byte as published. */
  readonly event: Uint8Array;
  readonly written_at: Generated<Date>;
  readonly published_at: Date | null;
}

/** Statements for a service's first migration. */
export function outboxTable(service: string): readonly string[] {
  return [
    ...tenantTable(
      `${service}.outbox`,
      `position bigint generated always as identity primary key,
       id text not null unique,
       subject text not null,
       event bytea not null,
       written_at timestamptz not null default now(),
       published_at timestamptz`,
    ),
    `create index outbox_unpublished on ${service}.outbox (position) where published_at is null`,
    `create index outbox_published on ${service}.outbox (published_at) where published_at is not null`,
  ];
}

/** Topic of `Database.onSignal` that fires after a commit with new events. */
export function outboxTopic(service: string): string {
  return `${service}.outbox`;
}

/** Rows for one table, as texts and values for `insert into table (columns) values (row), … conflict`. */
export interface RowInsert {
  readonly table: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly unknown[])[];
  readonly conflict: string;
}

/** Of one statement, which holds at most 65,535 parameters. */
const MOST_ROWS = 500;

/** The inserts of `appendEvents` for whoever joins them with others of its own; `announceEvents` must follow. */
export function eventInserts(service: string, events: readonly XcfEvent[]): RowInsert[] {
  const rows = events.map((event) => {
    const { id, data } = encodeEvent(event);
    return [event.tenant, id, eventSubject(event), data];
  });
  const inserts: RowInsert[] = [];
  for (let from = 0; from < rows.length; from += MOST_ROWS) {
    inserts.push({
      table: `${service}.outbox`,
      columns: ["tenant", "id", "subject", "event"],
      rows: rows.slice(from, from + MOST_ROWS),
      conflict: "",
    });
  }
  return inserts;
}

/** Lets the relay know once the running transaction has committed. */
export function announceEvents(service: string): void {
  signalAfterCommit(outboxTopic(service));
}

/**
 * Writes events that the rest of `tx` makes true. Events of transactions that wait for each other's rows are published in
 * the order of their commits; others in any order.
 */
export async function appendEvents<Tables>(
  tx: Tx<Tables>,
  service: string,
  events: readonly XcfEvent[],
): Promise<void> {
  if (events.length === 0) return;
  for (const { table, columns, rows } of eventInserts(service, events)) {
    const values = rows.map((row) => sql`(${sql.join([...row])})`);
    await sql`insert into ${sql.table(table)} (${sql.raw(columns.join(", "))}) values ${sql.join(values)}`.execute(tx);
  }
  announceEvents(service);
}
