import { type EnvelopeContext, sealBytes } from "@xcloudflow/chassis/envelope-encryption";
import { appendEvents } from "@xcloudflow/database/outbox";
import { tenantScope } from "@xcloudflow/database/scope";
import { parseAddress } from "@xcloudflow/model/address";
import { appliedPointerSchema } from "@xcloudflow/model/applied-pointer";
import { DocumentInvalidError, decodeDocument } from "@xcloudflow/model/parse-json";
import { requireFence } from "./attempt.ts";
import { openDocument } from "./sealed-document.ts";
import type { StateContext } from "./state-context.ts";
import { stateEvent } from "./state-events.ts";

export interface UnitWrite {
  readonly tenant: string;
  readonly actor: string;
  readonly unit: string;
  readonly fence: bigint;
}

export function appliedEnvelope(tenant: string, unit: string, fence: bigint): EnvelopeContext {
  return { tenant, unit, kind: "applied-pointer", version: String(fence) };
}

/**
 * Moves a unit's applied pointer.
 *
 * @throws {FencePassedError} when a later attempt has the unit.
 * @throws {DocumentInvalidError} when the document is no pointer of this unit and tenant.
 */
export async function putApplied(
  context: StateContext,
  { tenant, actor, unit, fence }: UnitWrite,
  document: Uint8Array,
): Promise<void> {
  const pointer = decodeDocument(appliedPointerSchema, document, "pointer_document");
  if (pointer.address !== unit || pointer.tenant !== tenant)
    throw new DocumentInvalidError("pointer_document", "the pointer is of another unit or tenant");
  const key = await context.keyring.current(tenant);
  const row = {
    environment: parseAddress(unit).environment,
    fence,
    pointer: sealBytes(key, appliedEnvelope(tenant, unit, fence), document),
    updated_at: context.clock.now(),
  };
  await context.database.transaction(tenantScope("state", tenant, "put-applied"), async (tx) => {
    await requireFence(tx, unit, fence);
    await tx
      .insertInto("state.applied")
      .values({ unit, ...row })
      .onConflict((conflict) => conflict.columns(["tenant", "unit"]).doUpdateSet(row))
      .execute();
    const data = {
      changeSet: pointer.changeSet,
      run: pointer.run,
      commit: pointer.commit,
      serial: pointer.serial,
      fence: Number(fence),
    };
    await appendEvents(tx, "state", [
      stateEvent(context, pointer.attempted ? "applied.attempted" : "applied.moved", {
        tenant,
        actor,
        subject: unit,
        data,
      }),
    ]);
  });
}

/** The unit is no more: pointer, outputs and open drift go; its state's versions stay. @throws {FencePassedError} */
export async function deleteApplied(context: StateContext, { tenant, actor, unit, fence }: UnitWrite): Promise<void> {
  await context.database.transaction(tenantScope("state", tenant, "delete-applied"), async (tx) => {
    await requireFence(tx, unit, fence);
    const { numDeletedRows } = await tx.deleteFrom("state.applied").where("unit", "=", unit).executeTakeFirst();
    await tx.deleteFrom("state.unit_outputs").where("unit", "=", unit).execute();
    await tx.deleteFrom("state.drift").where("unit", "=", unit).execute();
    if (numDeletedRows === 0n) return;
    await appendEvents(tx, "state", [
      stateEvent(context, "applied.removed", { tenant, actor, subject: unit, data: { fence: Number(fence) } }),
    ]);
  });
}

/** Pointer documents as they were put; empty `environment` and `units` mean all. */
export async function listApplied(
  context: StateContext,
  tenant: string,
  environment: string,
  units: readonly string[],
): Promise<readonly Uint8Array[]> {
  const rows = await context.database.transaction(tenantScope("state", tenant, "list-applied"), (tx) =>
    tx
      .selectFrom("state.applied")
      .select(["unit", "fence", "pointer"])
      .$if(environment !== "", (query) => query.where("environment", "=", environment))
      .$if(units.length > 0, (query) => query.where("unit", "in", units))
      .orderBy("unit")
      .execute(),
  );
  const documents: Uint8Array[] = [];
  for (const { unit, fence, pointer } of rows)
    documents.push(await openDocument(context.keyring, appliedEnvelope(tenant, unit, fence), pointer));
  return documents;
}
