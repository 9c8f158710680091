import { createHash } from "node:crypto";
import { dataKeyIdOf, type EnvelopeContext } from "@xcloudflow/chassis/envelope-encryption";
import { encodeEvent, eventSubject, type XcfEvent } from "@xcloudflow/chassis/event";
import type { Tx } from "@xcloudflow/database/database";
import { announceEvents, appendEvents } from "@xcloudflow/database/outbox";
import { tenantScope } from "@xcloudflow/database/scope";
import { sql } from "kysely";
import type { StateTables } from "../migrations/state-tables.ts";
import { dropStaged, findBlob, keepBlob, openBlob, type StagedBlob, stageBlob } from "./blob-store.ts";
import { limited } from "./limited.ts";
import type { StateContext } from "./state-context.ts";
import { RecordMissingError, UploadChecksumError } from "./state-errors.ts";
import { stateEvent } from "./state-events.ts";

export interface NewArtefact {
  readonly kind: string;
  readonly unit: string;
  /** Expected id; empty: computed. */
  readonly id: string;
}

interface Artefact {
  readonly id: string;
  readonly kind: string;
  readonly unit: string;
  readonly size: bigint;
  readonly blob: string;
  readonly created_at: Date;
}

function artefactEnvelope(tenant: string, unit: string, kind: string, id: string): EnvelopeContext {
  return { tenant, unit, kind: `artefact/${kind}`, version: id };
}

/**
 * Keeps bytes under their SHA-256, once.
 *
 * @throws {UploadChecksumError} when they are not what the expected id says.
 * @throws {UploadTooLargeError}
 */
export async function putArtefact(
  context: StateContext,
  { tenant, actor }: { readonly tenant: string; readonly actor: string },
  { kind, unit, id: expected }: NewArtefact,
  source: AsyncIterable<Uint8Array>,
): Promise<{ readonly id: string; readonly size: number }> {
  const key = await context.keyring.current(tenant);
  const hash = createHash("sha256");
  const staged = await stageBlob(context, tenant, hashed(limited(source, context.maxUploadBytes), hash));
  const id = `sha256:${hash.digest("hex")}`;
  const { size } = staged;
  let kept = false;
  try {
    if (expected !== "" && expected !== id) throw new UploadChecksumError(expected, expected, id);
    kept = await context.database.transaction(tenantScope("state", tenant, "put-artefact"), async (tx) => {
      const now = context.clock.now();
      const envelope = artefactEnvelope(tenant, unit, kind, id);
      const event = stateEvent(context, "artefact.stored", { tenant, actor, subject: id, data: { kind, unit, size } });
      const artefact = { id, kind, unit, size: BigInt(size), blob: staged.id, created_at: now };
      if (staged.pendingFrom === 0 && staged.pending.length > 0)
        return await insertWhole(tx, artefact, staged, staged.sealer.header(key, envelope), event);
      const added = await tx
        .insertInto("state.artefacts")
        .values(artefact)
        .onConflict((conflict) => conflict.doNothing())
        .returning("id")
        .executeTakeFirst();
      if (added === undefined) return false;
      await keepBlob(tx, staged, key, envelope, now);
      await appendEvents(tx, "state", [event]);
      return true;
    });
  } finally {
    if (!kept && staged.pendingFrom > 0) await dropStaged(context, tenant, staged.id);
  }
  return { id, size };
}

/** All rows of an artefact that nothing is stored of yet: most are small, and a statement each costs more than the rows. */
async function insertWhole(
  tx: Tx<StateTables>,
  { id, kind, unit, size, blob, created_at }: Artefact,
  { chunks, pending }: StagedBlob,
  header: Uint8Array,
  event: XcfEvent,
): Promise<boolean> {
  const pieces = pending.map((data, position) => sql`(${position}::integer, ${data}::bytea)`);
  const told = encodeEvent(event);
  const { rows } = await sql`
    with added as (
      insert into state.artefacts (id, kind, unit, size, blob, created_at)
      values (${id}, ${kind}, ${unit}, ${size}, ${blob}, ${created_at}) on conflict do nothing returning blob, created_at
    ), kept as (
      insert into state.blobs (id, header, chunks, created_at)
      select blob, ${header}::bytea, ${chunks}::integer, created_at from added
    ), stored as (
      insert into state.blob_chunks (blob, position, data)
      select added.blob, piece.position, piece.data from added, (values ${sql.join(pieces)}) as piece (position, data)
    ), told as (
      insert into state.outbox (tenant, id, subject, event)
      select ${event.tenant}::text, ${told.id}::text, ${eventSubject(event)}::text, ${told.data}::bytea from added
    )
    select blob from added`.execute(tx);
  if (rows.length === 0) return false;
  announceEvents("state");
  return true;
}

async function* hashed(
  source: AsyncIterable<Uint8Array>,
  hash: ReturnType<typeof createHash>,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of source) {
    hash.update(chunk);
    yield chunk;
  }
}

/** @throws {RecordMissingError} */
export async function getArtefact(
  context: StateContext,
  tenant: string,
  id: string,
): Promise<AsyncIterable<Uint8Array>> {
  const { row, blob } = await context.database.transaction(tenantScope("state", tenant, "get-artefact"), async (tx) => {
    const row = await tx
      .selectFrom("state.artefacts")
      .select(["kind", "unit", "blob"])
      .where("id", "=", id)
      .executeTakeFirst();
    const blob = row && (await findBlob(tx, row.blob));
    if (row === undefined || blob === undefined) throw new RecordMissingError("artefact", id);
    return { row, blob };
  });
  const key = await context.keyring.byId(tenant, dataKeyIdOf(blob.header, id));
  return openBlob(context, tenant, blob, key, artefactEnvelope(tenant, row.unit, row.kind, id));
}

/** Those of `ids` that are there, in their order. */
export async function presentArtefacts(
  context: StateContext,
  tenant: string,
  ids: readonly string[],
): Promise<readonly string[]> {
  if (ids.length === 0) return [];
  return await context.database.transaction(tenantScope("state", tenant, "has-artefacts"), async (tx) => {
    const rows = await tx.selectFrom("state.artefacts").select("id").where("id", "in", ids).execute();
    const present = new Set(rows.map(({ id }) => id));
    return ids.filter((id) => present.has(id));
  });
}
