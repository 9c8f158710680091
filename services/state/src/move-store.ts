import {
  type DataKey,
  dataKeyIdOf,
  type EnvelopeContext,
  openBytes,
  resealBytes,
  sealBytes,
} from "@xcloudflow/chassis/envelope-encryption";
import type { DataKeys } from "@xcloudflow/chassis/keyring";
import type { Tx } from "@xcloudflow/database/database";
import { appendEvents } from "@xcloudflow/database/outbox";
import { tenantScope } from "@xcloudflow/database/scope";
import { parseAddress } from "@xcloudflow/model/address";
import { appliedPointerSchema } from "@xcloudflow/model/applied-pointer";
import { decodeDocument, encodeDocument } from "@xcloudflow/model/parse-json";
import type { StateTables } from "../migrations/state-tables.ts";
import { appliedEnvelope } from "./applied-store.ts";
import { renameBlob } from "./blob-store.ts";
import { driftEnvelope } from "./drift-store.ts";
import { stateEnvelope } from "./engine-state.ts";
import { lockEngineState } from "./engine-state-store.ts";
import { raiseFence, readFence } from "./fence-store.ts";
import { outputEnvelope } from "./output-store.ts";
import type { StateContext } from "./state-context.ts";
import { StateMoveRefusedError } from "./state-errors.ts";
import { stateEvent } from "./state-events.ts";

interface Move {
  readonly tenant: string;
  readonly from: string;
  readonly to: string;
  readonly environment: string;
  readonly keys: DataKeys;
}

/**
 * Renames a unit: state with all versions, applied pointer, outputs, drift, fence. What is encrypted is bound to the
 * unit's name, so each header is sealed anew; the bytes stay. Nothing to rename is no error: a repeated request.
 *
 * @throws {StateMoveRefusedError} when the new name is taken, or the state is locked.
 */
export async function moveState(
  context: StateContext,
  { tenant, actor }: { readonly tenant: string; readonly actor: string },
  from: string,
  to: string,
): Promise<void> {
  const { environment } = parseAddress(to);
  parseAddress(from);
  if (from === to) return;
  const move: Move = { tenant, from, to, environment, keys: await context.keyring.all(tenant) };
  await context.database.transaction(tenantScope("state", tenant, "move-state"), async (tx) => {
    // Sorted, so that two moves that cross wait for each other instead of deadlocking.
    for (const unit of [from, to].sort()) await lockEngineState(tx, unit);
    const source = await lockEngineState(tx, from);
    if (source.lastVersion === 0n && !(await hasPointer(tx, from))) return;
    if (source.lock !== undefined)
      throw new StateMoveRefusedError(from, "its state is locked", "wait until the lock is released");
    const target = await lockEngineState(tx, to);
    if (target.current !== undefined || target.lock !== undefined || (await hasPointer(tx, to))) {
      throw new StateMoveRefusedError(
        to,
        "the unit has a state already",
        "choose a name that is free, or destroy what is there first",
      );
    }
    await moveVersions(tx, move, target.lastVersion, source);
    await movePointer(tx, move);
    await moveOutputs(tx, move);
    await moveDrift(tx, move);
    await raiseFence(tx, to, await readFence(tx, from));
    await appendEvents(tx, "state", [
      stateEvent(context, "engine-state.moved", { tenant, actor, subject: to, data: { from, to } }),
    ]);
  });
}

async function hasPointer(tx: Tx<StateTables>, unit: string): Promise<boolean> {
  return (
    (await tx.selectFrom("state.applied").select("unit").where("unit", "=", unit).executeTakeFirst()) !== undefined
  );
}

/** Versions go on counting after those the new name had before. */
async function moveVersions(
  tx: Tx<StateTables>,
  { tenant, from, to, keys }: Move,
  offset: bigint,
  source: { readonly lastVersion: bigint; readonly current: { readonly version: bigint } | undefined },
): Promise<void> {
  const rows = await tx
    .selectFrom("state.engine_state_versions as v")
    .innerJoin("state.blobs as b", "b.id", "v.blob")
    .select(["v.version", "b.id", "b.header"])
    .where("v.unit", "=", from)
    .execute();
  for (const { version, id, header } of rows) {
    if (header === null) continue;
    const [old, fresh] = [
      stateEnvelope({ tenant, unit: from }, version),
      stateEnvelope({ tenant, unit: to }, version + offset),
    ];
    await renameBlob(
      tx,
      id,
      { key: keyOf(keys, header, old), context: old },
      { key: keys.current, context: fresh },
      header,
    );
    await tx
      .updateTable("state.engine_state_versions")
      .set({ unit: to, version: version + offset })
      .where("unit", "=", from)
      .where("version", "=", version)
      .execute();
  }
  const current = source.current === undefined ? null : source.current.version + offset;
  await tx
    .updateTable("state.engine_states")
    .set({ last_version: offset + source.lastVersion, current_version: current })
    .where("unit", "=", to)
    .execute();
  await tx.deleteFrom("state.engine_states").where("unit", "=", from).execute();
}

/** The pointer says the unit's name inside as well. */
async function movePointer(tx: Tx<StateTables>, { tenant, from, to, environment, keys }: Move): Promise<void> {
  const row = await tx
    .selectFrom("state.applied")
    .select(["fence", "pointer"])
    .where("unit", "=", from)
    .executeTakeFirst();
  if (row === undefined) return;
  const old = appliedEnvelope(tenant, from, row.fence);
  const pointer = decodeDocument(
    appliedPointerSchema,
    openBytes(keyOf(keys, row.pointer, old), old, row.pointer),
    from,
  );
  const renamed = encodeDocument({
    ...pointer,
    address: to,
    environment,
    unit: { ...pointer.unit, address: to, route: { ...pointer.unit.route, address: to } },
  });
  const sealed = sealBytes(keys.current, appliedEnvelope(tenant, to, row.fence), renamed);
  await tx
    .updateTable("state.applied")
    .set({ unit: to, environment, pointer: sealed })
    .where("unit", "=", from)
    .execute();
}

async function moveOutputs(tx: Tx<StateTables>, { tenant, from, to, keys }: Move): Promise<void> {
  await tx.deleteFrom("state.unit_outputs").where("unit", "=", to).execute();
  const rows = await tx
    .selectFrom("state.unit_outputs")
    .select(["name", "fence", "value"])
    .where("unit", "=", from)
    .execute();
  for (const { name, fence, value } of rows) {
    const resealed = reseal(
      keys,
      outputEnvelope(tenant, from, name, fence),
      outputEnvelope(tenant, to, name, fence),
      value,
    );
    await tx
      .updateTable("state.unit_outputs")
      .set({ unit: to, value: resealed })
      .where("unit", "=", from)
      .where("name", "=", name)
      .execute();
  }
}

async function moveDrift(tx: Tx<StateTables>, { tenant, from, to, environment, keys }: Move): Promise<void> {
  await tx.deleteFrom("state.drift").where("unit", "=", to).execute();
  const row = await tx.selectFrom("state.drift").select(["run", "changes"]).where("unit", "=", from).executeTakeFirst();
  if (row === undefined) return;
  const changes = reseal(keys, driftEnvelope(tenant, from, row.run), driftEnvelope(tenant, to, row.run), row.changes);
  await tx.updateTable("state.drift").set({ unit: to, environment, changes }).where("unit", "=", from).execute();
}

function reseal(keys: DataKeys, old: EnvelopeContext, fresh: EnvelopeContext, sealed: Uint8Array): Uint8Array {
  return resealBytes({ key: keyOf(keys, sealed, old), context: old }, { key: keys.current, context: fresh }, sealed);
}

function keyOf(keys: DataKeys, sealed: Uint8Array, { kind, unit }: EnvelopeContext): DataKey {
  return keys.byId(dataKeyIdOf(sealed, `${kind} ${unit}`));
}
