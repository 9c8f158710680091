import {
  createOpener,
  createSealer,
  type DataKey,
  type EnvelopeContext,
  type Opener,
  resealHeader,
  type Sealer,
} from "@xcloudflow/chassis/envelope-encryption";
import type { Tx } from "@xcloudflow/database/database";
import { systemScope, tenantScope } from "@xcloudflow/database/scope";
import { sql } from "kysely";
import type { StateTables } from "../migrations/state-tables.ts";
import { piecesOf } from "./pieces.ts";
import type { StateContext } from "./state-context.ts";
import { UploadExpiredError } from "./state-errors.ts";

/**
 * Large values, encrypted, in rows of about 1 MiB. An upload must not keep a transaction open while its bytes trickle in,
 * so pieces beyond the first few are stored as they come, under a blob that has no header yet; the transaction that
 * decides about the value gives it one, and with it its meaning. What never gets one is swept away.
 */
export interface StagedBlob {
  readonly id: string;
  readonly size: number;
  readonly chunks: number;
  readonly sealer: Sealer;
  /** Pieces from this position on are not stored yet. */
  readonly pendingFrom: number;
  readonly pending: readonly Uint8Array[];
}

/** Smaller values are written by the deciding transaction alone. */
const MOST_PENDING = 4;
/** Longer than any upload may take. */
const STAGED_MS = 60 * 60_000;
const READ_AT_ONCE = 4;

/** Reads `source` to its end. Memory: `MOST_PENDING` pieces, whatever its size. */
export async function stageBlob(
  context: StateContext,
  tenant: string,
  source: AsyncIterable<Uint8Array>,
): Promise<StagedBlob> {
  const id = context.ids.next("blob");
  const sealer = createSealer();
  const pending: Uint8Array[] = [];
  let size = 0;
  let pendingFrom = 0;
  try {
    for await (const { bytes, last } of piecesOf(source)) {
      size += bytes.length;
      pending.push(sealer.chunk(bytes, last));
      if (pending.length <= MOST_PENDING) continue;
      await stagePieces(context, tenant, id, pendingFrom, pending);
      pendingFrom += pending.length;
      pending.length = 0;
    }
  } catch (cause) {
    if (pendingFrom > 0) await dropStaged(context, tenant, id, cause);
    throw cause;
  }
  return { id, size, chunks: pendingFrom + pending.length, sealer, pendingFrom, pending };
}

async function stagePieces(
  context: StateContext,
  tenant: string,
  id: string,
  from: number,
  pieces: readonly Uint8Array[],
): Promise<void> {
  await context.database.transaction(tenantScope("state", tenant, "stage-blob"), async (tx) => {
    if (from === 0) {
      await tx
        .insertInto("state.blobs")
        .values({ id, header: null, chunks: 0, created_at: context.clock.now() })
        .execute();
    }
    await insertChunks(tx, id, from, pieces);
  });
}

/** Takes back an upload that came to nothing. Failing to is no new problem: the sweep finds it. */
export async function dropStaged(context: StateContext, tenant: string, id: string, because?: unknown): Promise<void> {
  try {
    await context.database.transaction(tenantScope("state", tenant, "drop-staged-blob"), (tx) => deleteBlob(tx, id));
  } catch (error) {
    context.logger.warn("an unfinished upload stays until the next sweep", { blob: id, error, because });
  }
}

/** @throws {UploadExpiredError} when the sweep was faster. */
export async function keepBlob(
  tx: Tx<StateTables>,
  staged: StagedBlob,
  key: DataKey,
  envelope: EnvelopeContext,
  now: Date,
): Promise<void> {
  const header = staged.sealer.header(key, envelope);
  if (staged.pendingFrom === 0) {
    await tx
      .insertInto("state.blobs")
      .values({ id: staged.id, header, chunks: staged.chunks, created_at: now })
      .execute();
  } else {
    const { numUpdatedRows } = await tx
      .updateTable("state.blobs")
      .set({ header, chunks: staged.chunks })
      .where("id", "=", staged.id)
      .where("header", "is", null)
      .executeTakeFirst();
    if (numUpdatedRows !== 1n) throw new UploadExpiredError();
  }
  await insertChunks(tx, staged.id, staged.pendingFrom, staged.pending);
}

async function insertChunks(
  tx: Tx<StateTables>,
  blob: string,
  from: number,
  pieces: readonly Uint8Array[],
): Promise<void> {
  for (const [index, data] of pieces.entries()) {
    await tx
      .insertInto("state.blob_chunks")
      .values({ blob, position: from + index, data })
      .execute();
  }
}

export async function deleteBlob(tx: Tx<StateTables>, id: string): Promise<void> {
  await tx.deleteFrom("state.blob_chunks").where("blob", "=", id).execute();
  await tx.deleteFrom("state.blobs").where("id", "=", id).execute();
}

/** A kept blob, its first pieces read with it so that a small value costs one transaction. */
export interface KeptBlob {
  readonly id: string;
  readonly chunks: number;
  readonly header: Uint8Array;
  readonly first: readonly Uint8Array[];
}

export async function findBlob(tx: Tx<StateTables>, id: string): Promise<KeptBlob | undefined> {
  const row = await tx.selectFrom("state.blobs").select(["chunks", "header"]).where("id", "=", id).executeTakeFirst();
  if (row === undefined || row.header === null) return undefined;
  return { id, chunks: row.chunks, header: row.header, first: await readChunks(tx, id, 0) };
}

async function readChunks(tx: Tx<StateTables>, blob: string, from: number): Promise<readonly Uint8Array[]> {
  const rows = await tx
    .selectFrom("state.blob_chunks")
    .select("data")
    .where("blob", "=", blob)
    .where("position", ">=", from)
    .orderBy("position")
    .limit(READ_AT_ONCE)
    .execute();
  return rows.map(({ data }) => data);
}

/** The value's plain bytes, in pieces. @throws {EnvelopeTamperedError} at the first piece that is not as it was stored. */
export async function* openBlob(
  context: StateContext,
  tenant: string,
  blob: KeptBlob,
  key: DataKey,
  envelope: EnvelopeContext,
): AsyncGenerator<Uint8Array> {
  const opener: Opener = createOpener(key, envelope, blob.header);
  let sealed = blob.first;
  for (let position = 0; position < blob.chunks; ) {
    if (sealed.length === 0) {
      const from = position;
      sealed = await context.database.transaction(tenantScope("state", tenant, "read-blob"), (tx) =>
        readChunks(tx, blob.id, from),
      );
      // An empty piece stands for the missing row: it fails like any other that is not what was stored.
      if (sealed.length === 0) sealed = [new Uint8Array()];
    }
    for (const piece of sealed) {
      position += 1;
      yield opener.chunk(piece, position === blob.chunks);
    }
    sealed = [];
  }
}

/** Gives a kept blob another meaning, such as a renamed unit. */
export async function renameBlob(
  tx: Tx<StateTables>,
  id: string,
  from: { readonly key: DataKey; readonly context: EnvelopeContext },
  to: { readonly key: DataKey; readonly context: EnvelopeContext },
  header: Uint8Array,
): Promise<void> {
  await tx
    .updateTable("state.blobs")
    .set({ header: resealHeader(from, to, header) })
    .where("id", "=", id)
    .execute();
}

/** Deletes what uploads of all tenants left behind an hour ago or earlier. */
export async function sweepStagedBlobs(context: StateContext): Promise<number> {
  const before = new Date(context.clock.now().getTime() - STAGED_MS);
  return await context.database.transaction(systemScope("state", "sweep-staged-blobs"), async (tx) => {
    const swept = await tx
      .deleteFrom("state.blobs")
      .where("header", "is", null)
      .where("created_at", "<", before)
      .returning(["tenant", "id"])
      .execute();
    for (const { tenant, id } of swept) {
      await sql`delete from state.blob_chunks where tenant = ${tenant} and blob = ${id}`.execute(tx);
    }
    return swept.length;
  });
}
