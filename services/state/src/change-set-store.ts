import { type EnvelopeContext, sealBytes } from "@xcloudflow/chassis/envelope-encryption";
import { appendEvents } from "@xcloudflow/database/outbox";
import { tenantScope } from "@xcloudflow/database/scope";
import { openDocument } from "./sealed-document.ts";
import type { StateContext } from "./state-context.ts";
import { ChangeSetTakenError, RecordMissingError } from "./state-errors.ts";
import { stateEvent } from "./state-events.ts";

export interface NewChangeSet {
  readonly id: string;
  readonly digest: string;
  readonly environment: string;
  readonly document: Uint8Array;
}

function changeSetEnvelope(tenant: string, id: string, digest: string): EnvelopeContext {
  return { tenant, unit: "", kind: "change-set", version: `${id} ${digest}` };
}

/** Keeps a ChangeSet for good. @throws {ChangeSetTakenError} when its id is another's. */
export async function putChangeSet(
  context: StateContext,
  { tenant, actor }: { readonly tenant: string; readonly actor: string },
  { id, digest, environment, document }: NewChangeSet,
): Promise<void> {
  const key = await context.keyring.current(tenant);
  const sealed = sealBytes(key, changeSetEnvelope(tenant, id, digest), document);
  await context.database.transaction(tenantScope("state", tenant, "put-change-set"), async (tx) => {
    const added = await tx
      .insertInto("state.change_sets")
      .values({ id, digest, environment, document: sealed, created_at: context.clock.now() })
      .onConflict((conflict) => conflict.doNothing())
      .returning("id")
      .executeTakeFirst();
    if (added === undefined) {
      const known = await tx.selectFrom("state.change_sets").select("digest").where("id", "=", id).executeTakeFirst();
      if (known?.digest !== digest) throw new ChangeSetTakenError(id);
      return;
    }
    await appendEvents(tx, "state", [
      stateEvent(context, "change-set.stored", { tenant, actor, subject: id, data: { digest, environment } }),
    ]);
  });
}

/** @throws {RecordMissingError} */
export async function getChangeSet(
  context: StateContext,
  tenant: string,
  id: string,
): Promise<{ readonly document: Uint8Array; readonly digest: string }> {
  const row = await context.database.transaction(tenantScope("state", tenant, "get-change-set"), (tx) =>
    tx.selectFrom("state.change_sets").select(["digest", "document"]).where("id", "=", id).executeTakeFirst(),
  );
  if (row === undefined) throw new RecordMissingError("ChangeSet", id);
  return {
    digest: row.digest,
    document: await openDocument(context.keyring, changeSetEnvelope(tenant, id, row.digest), row.document),
  };
}
