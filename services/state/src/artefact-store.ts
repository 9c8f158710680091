import { createHash } from "node:crypto";
import { dataKeyIdOf, type EnvelopeContext } from "@xcloudflow/chassis/envelope-encryption";
import { appendEvents } from "@xcloudflow/database/outbox";
import { tenantScope } from "@xcloudflow/database/scope";
import { dropStaged, findBlob, keepBlob, openBlob, stageBlob } from "./blob-store.ts";
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
      const added = await tx
        .insertInto("state.artefacts")
        .values({ id, kind, unit, size: BigInt(size), blob: staged.id, created_at: now })
        .onConflict((conflict) => conflict.doNothing())
        .returning("id")
        .executeTakeFirst();
      if (added === undefined) return false;
      await keepBlob(tx, staged, key, artefactEnvelope(tenant, unit, kind, id), now);
      await appendEvents(tx, "state", [
        stateEvent(context, "artefact.stored", { tenant, actor, subject: id, data: { kind, unit, size } }),
      ]);
      return true;
    });
  } finally {
    if (!kept && staged.pendingFrom > 0) await dropStaged(context, tenant, staged.id);
  }
  return { id, size };
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
