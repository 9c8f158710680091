import { createHmac } from "node:crypto";
import type { EnvelopeContext } from "@xcloudflow/chassis/envelope-encryption";
import { dataKeyIdOf } from "@xcloudflow/chassis/envelope-encryption";
import type { Tx } from "@xcloudflow/database/database";
import { appendEvents } from "@xcloudflow/database/outbox";
import { tenantScope } from "@xcloudflow/database/scope";
import type { JsonObject } from "@xcloudflow/model/json-value";
import type { StateTables } from "../migrations/state-tables.ts";
import { dropStaged, findBlob, keepBlob, openBlob, type StagedBlob, stageBlob } from "./blob-store.ts";
import {
  decideDelete,
  decideRecovery,
  decideWrite,
  type EngineStateView,
  type OfferedState,
  type WriteDecision,
  type Writer,
} from "./engine-state-decision.ts";
import { deleteCurrent, findQuarantined, findVersion, insertVersion, lockEngineState } from "./engine-state-store.ts";
import { holdFence } from "./fence-store.ts";
import type { StateContext } from "./state-context.ts";
import { FencePassedError, RecordMissingError, refusalError } from "./state-errors.ts";
import { type StateEventName, stateEvent } from "./state-events.ts";
import { createStateHeaderReader } from "./state-header.ts";

export interface StateTarget {
  readonly tenant: string;
  readonly unit: string;
}

export interface WriteResult {
  readonly outcome: "written" | "unchanged" | "quarantined";
  readonly version: bigint;
  /** The fence that made it late. */
  readonly fence: bigint;
}

/** How an engine state's blob is bound: nobody else's state, and no other version, opens in its place. */
export function stateEnvelope({ tenant, unit }: StateTarget, version: bigint): EnvelopeContext {
  return { tenant, unit, kind: "engine-state", version: String(version) };
}

/**
 * Stores an engine's state as the unit's current one, byte for byte, or aside as quarantined when its writer is late.
 *
 * @throws {EngineStateInvalidError} when the bytes are no state.
 * @throws {StateLockHeldError | StateLockLostError | StateHistoryConflictError} when it may not become current.
 */
export async function writeState(
  context: StateContext,
  target: StateTarget,
  request: { readonly writer: Writer; readonly lockId: string | undefined; readonly source: AsyncIterable<Uint8Array> },
): Promise<WriteResult> {
  const event = request.writer.kind === "token" ? "engine-state.written-by-hand" : "engine-state.written";
  return await storeState(context, target, request, event, (view, offered) =>
    decideWrite(view, { ...offered, writer: request.writer, lockId: request.lockId }),
  );
}

/** Stores a state found in the scratch of a dead attempt; see `decideRecovery`. */
export async function recoverState(
  context: StateContext,
  target: StateTarget,
  request: {
    readonly writer: Extract<Writer, { kind: "attempt" }>;
    readonly deadFence: bigint;
    readonly source: AsyncIterable<Uint8Array>;
  },
): Promise<WriteResult> {
  const { writer, deadFence } = request;
  return await storeState(context, target, request, "engine-state.recovered", (view, offered) =>
    decideRecovery(view, { ...offered, writer, deadFence }),
  );
}

async function storeState(
  context: StateContext,
  target: StateTarget,
  { writer, source }: { readonly writer: Writer; readonly source: AsyncIterable<Uint8Array> },
  event: StateEventName,
  decide: (view: EngineStateView, offered: OfferedState) => WriteDecision,
): Promise<WriteResult> {
  const { tenant, unit } = target;
  const key = await context.keyring.current(tenant);
  const digest = createHmac("sha256", await context.keyring.derive(tenant, "state-digest"));
  const header = createStateHeaderReader();
  const staged = await stageBlob(
    context,
    tenant,
    watched(source, (chunk) => {
      header.push(chunk);
      digest.update(chunk);
    }),
  );
  const offered = await finish(context, tenant, staged, () => ({ ...header.end(), digest: digest.digest("hex") }));
  const result = await finish(context, tenant, staged, () =>
    context.database.transaction(tenantScope("state", tenant, "write-engine-state"), async (tx) => {
      if (writer.kind === "attempt") await holdFence(tx, unit, writer.fence);
      const view = await lockEngineState(tx, unit);
      const decision = decide(view, offered);
      if (decision.outcome === "refuse") throw refusalError(unit, fenceOf(writer), decision.refusal);
      const { fence } = view;
      if (decision.outcome === "unchanged")
        return { outcome: "unchanged", version: decision.version, fence, stored: false } as const;
      const late = decision.outcome === "quarantine";
      const repeated = late ? await findQuarantined(tx, unit, offered.digest, writer.name) : undefined;
      if (repeated !== undefined) return { outcome: "quarantined", version: repeated, fence, stored: false } as const;
      const version = view.lastVersion + 1n;
      const now = context.clock.now();
      await keepBlob(tx, staged, key, stateEnvelope(target, version), now);
      const size = BigInt(staged.size);
      await insertVersion(tx, {
        ...offered,
        unit,
        version,
        status: late ? "quarantined" : "current",
        size,
        blob: staged.id,
        writer,
        fence,
        now,
      });
      const data = {
        version: Number(version),
        serial: String(offered.serial),
        lineage: offered.lineage,
        size: staged.size,
      };
      await appendStateEvent(context, tx, target, late ? "engine-state.quarantined" : event, writer, data);
      return { outcome: late ? "quarantined" : "written", version, fence, stored: true } as const;
    }),
  );
  if (!result.stored && staged.pendingFrom > 0) await dropStaged(context, tenant, staged.id);
  return result;
}

/** What fails after pieces were stored takes them back. */
async function finish<T>(
  context: StateContext,
  tenant: string,
  staged: StagedBlob,
  work: () => T | Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (staged.pendingFrom > 0) await dropStaged(context, tenant, staged.id, cause);
    throw cause;
  }
}

async function* watched(
  source: AsyncIterable<Uint8Array>,
  see: (chunk: Uint8Array) => void,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of source) {
    see(chunk);
    yield chunk;
  }
}

/**
 * Takes the current state away; its versions stay.
 *
 * @throws {StateLockHeldError | StateLockLostError | FencePassedError} when the writer may not.
 */
export async function deleteState(
  context: StateContext,
  target: StateTarget,
  request: { readonly writer: Writer; readonly lockId: string | undefined },
): Promise<void> {
  const { tenant, unit } = target;
  const { writer } = request;
  await context.database.transaction(tenantScope("state", tenant, "delete-engine-state"), async (tx) => {
    if (writer.kind === "attempt") await holdFence(tx, unit, writer.fence);
    const view = await lockEngineState(tx, unit);
    const refusal = decideDelete(view, request);
    if (refusal !== undefined) throw refusalError(unit, fenceOf(writer), refusal);
    if (view.current === undefined) return;
    await deleteCurrent(tx, unit);
    const data = { version: Number(view.current.version), serial: String(view.current.serial) };
    await appendStateEvent(
      context,
      tx,
      target,
      writer.kind === "token" ? "engine-state.deleted-by-hand" : "engine-state.deleted",
      writer,
      data,
    );
  });
}

export interface PulledState {
  readonly version: bigint;
  readonly size: number;
  readonly bytes: AsyncIterable<Uint8Array>;
}

/**
 * The state, decrypted and unchanged; `version` 0 is the current one.
 *
 * @param audit whose read is an audit event of its own; an attempt's reads of its own unit are part of the attempt.
 * @throws {RecordMissingError} when there is no such version.
 */
export async function pullState(
  context: StateContext,
  target: StateTarget,
  version: bigint,
  audit: { readonly actor: string } | undefined,
): Promise<PulledState> {
  const { tenant, unit } = target;
  const { found, blob } = await context.database.transaction(
    tenantScope("state", tenant, "pull-engine-state"),
    async (tx) => {
      const found = await findVersion(tx, unit, version);
      const blob = found && (await findBlob(tx, found.blob));
      if (found === undefined || blob === undefined) {
        throw version === 0n
          ? new RecordMissingError("state", unit)
          : new RecordMissingError("version", `${version} of ${unit}`);
      }
      if (audit !== undefined) {
        const data = { version: Number(found.version), serial: String(found.serial) };
        await appendEvents(tx, "state", [
          stateEvent(context, "engine-state.pulled", { tenant, actor: audit.actor, subject: unit, data }),
        ]);
      }
      return { found, blob };
    },
  );
  const envelope = stateEnvelope(target, found.version);
  const key = await context.keyring.byId(tenant, dataKeyIdOf(blob.header, unit));
  return { version: found.version, size: Number(found.size), bytes: openBlob(context, tenant, blob, key, envelope) };
}

export async function appendStateEvent(
  context: StateContext,
  tx: Tx<StateTables>,
  { tenant, unit }: StateTarget,
  name: StateEventName,
  writer: Writer,
  data: JsonObject,
): Promise<void> {
  await appendEvents(tx, "state", [stateEvent(context, name, { tenant, actor: writer.name, subject: unit, data })]);
}

export function fenceOf(writer: Writer): bigint {
  return writer.kind === "attempt" ? writer.fence : 0n;
}

/** What a quarantined write is answered with, over any protocol. */
export function latenessError({ unit }: StateTarget, writer: Writer, result: WriteResult): FencePassedError {
  return new FencePassedError(unit, fenceOf(writer), result.fence);
}
