import type { Tx } from "@xcloudflow/database/database";
import { jsonb } from "@xcloudflow/database/json-column";
import { tenantScope } from "@xcloudflow/database/scope";
import { signalAfterCommit } from "@xcloudflow/database/transaction-context";
import { signCheckpoint } from "@xcloudflow/model/checkpoint";
import { appendLeaf, type MerkleNode } from "@xcloudflow/model/merkle";
import { sql } from "kysely";
import type { AuditTables } from "../migrations/audit-tables.ts";
import type { AuditContext } from "./audit-context.ts";
import { AuditLogTamperedError } from "./audit-errors.ts";
import type { AuditedEvent } from "./audited-event.ts";
import { checkpointOf, contradiction, decodeFrontier, encodeFrontier, type LogPosition } from "./log-position.ts";

/** Topic of `Database.onSignal` that fires after entries were added. */
export const APPENDED = "audit.appended";

/** A checkpoint that an append has made. */
export interface SignedPosition {
  readonly origin: string;
  readonly note: string;
}

/**
 * Adds the events that are not there yet, in the order given, and signs the new checkpoint in the same transaction. The
 * log's row is locked, so that there is one writer; the row is believed only when the last signed checkpoint says the
 * same, so that a forged log never gets a true signature.
 *
 * @returns `undefined` when every event was there already.
 * @throws {AuditLogTamperedError} when row and checkpoint disagree; nothing is added.
 */
export async function appendToLog(
  context: AuditContext,
  tenant: string,
  events: readonly AuditedEvent[],
): Promise<SignedPosition | undefined> {
  return await context.database.transaction(tenantScope("audit", tenant, "append"), async (tx) => {
    const before = await openLog(tx, context, tenant);
    const note = await readCheckpoint(tx, before.frontier.size);
    const problem = contradiction(before, note, context.signingKey);
    if (problem !== undefined) throw new AuditLogTamperedError(tenant, problem);
    const fresh = await withoutKnown(tx, events);
    if (fresh.length === 0) return undefined;
    const after = await insertEntries(tx, before, fresh);
    return await moveLog(tx, context, after);
  });
}

/** The log's row, locked; made when the tenant has none. */
export async function openLog(tx: Tx<AuditTables>, context: AuditContext, tenant: string): Promise<LogPosition> {
  const lock = () => tx.selectFrom("audit.logs").selectAll().forUpdate().executeTakeFirst();
  let row = await lock();
  if (row === undefined) {
    // A name of its own for each log, so that the checkpoint of one never passes for that of another.
    const origin = `${context.origin}/${tenant}/${context.ids.next("log")}`;
    const values = { origin, size: 0n, frontier: new Uint8Array(), updated_at: context.clock.now() };
    await tx
      .insertInto("audit.logs")
      .values(values)
      .onConflict((conflict) => conflict.doNothing())
      .execute();
    row = await lock();
  }
  if (row === undefined) throw new AuditLogTamperedError(tenant, "its row vanishes");
  return { origin: row.origin, frontier: decodeFrontier(Number(row.size), row.frontier) };
}

/** The signed note over exactly `size` entries. */
export async function readCheckpoint(tx: Tx<AuditTables>, size: number): Promise<string | undefined> {
  const row = await tx
    .selectFrom("audit.checkpoints")
    .select("note")
    .where("size", "=", BigInt(size))
    .executeTakeFirst();
  return row?.note;
}

async function withoutKnown(tx: Tx<AuditTables>, events: readonly AuditedEvent[]): Promise<readonly AuditedEvent[]> {
  const ids = events.map(({ id }) => id);
  // One parameter, however many events: the same statement for every batch.
  const known = await tx
    .selectFrom("audit.entries")
    .select("event_id")
    .where("event_id", "=", sql<string>`any(${ids}::text[])`)
    .execute();
  const seen = new Set(known.map(({ event_id }) => event_id));
  return events.filter(({ id }) => {
    if (seen.has(id)) return false;
    seen.add(id);
    return true;
  });
}

async function insertEntries(
  tx: Tx<AuditTables>,
  before: LogPosition,
  events: readonly AuditedEvent[],
): Promise<LogPosition> {
  let { frontier } = before;
  const nodes: MerkleNode[] = [];
  const rows = events.map(({ id, type, actor, concerns, time, leaf, leafHash }) => {
    const index = BigInt(frontier.size);
    const appended = appendLeaf(frontier, leafHash);
    frontier = appended.frontier;
    nodes.push(...appended.completed);
    return { index, event_id: id, type, actor, concerns: jsonb(concerns), time, leaf, leaf_hash: leafHash };
  });
  await tx.insertInto("audit.entries").values(rows).execute();
  if (nodes.length > 0) {
    const values = nodes.map(({ level, index, hash }) => ({ level, index: BigInt(index), hash }));
    await tx.insertInto("audit.nodes").values(values).execute();
  }
  return { origin: before.origin, frontier };
}

async function moveLog(
  tx: Tx<AuditTables>,
  { clock, signingKey }: AuditContext,
  after: LogPosition,
): Promise<SignedPosition> {
  const size = BigInt(after.frontier.size);
  const now = clock.now();
  const note = signCheckpoint(checkpointOf(after), signingKey.privateKey);
  await tx
    .updateTable("audit.logs")
    .set({ size, frontier: encodeFrontier(after.frontier), updated_at: now })
    .execute();
  await tx.insertInto("audit.checkpoints").values({ size, note, created_at: now }).execute();
  signalAfterCommit(APPENDED);
  return { origin: after.origin, note };
}
