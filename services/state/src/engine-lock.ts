import { tenantScope } from "@xcloudflow/database/scope";
import { decideLock, decideUnlock } from "./engine-lock-decision.ts";
import { appendStateEvent, fenceOf, type StateTarget } from "./engine-state.ts";
import type { HeldLock, Writer } from "./engine-state-decision.ts";
import { lockEngineState, setLock } from "./engine-state-store.ts";
import { holdFence } from "./fence-store.ts";
import type { StateContext } from "./state-context.ts";
import { refusalError, StateLockHeldError } from "./state-errors.ts";
import { lockConflicts } from "./state-metrics.ts";

/** @throws {StateLockHeldError | FencePassedError} when the writer cannot have the lock. */
export async function lockState(context: StateContext, target: StateTarget, lock: HeldLock): Promise<void> {
  const { tenant, unit } = target;
  const { holder } = lock;
  await context.database.transaction(tenantScope("state", tenant, "lock-engine-state"), async (tx) => {
    if (holder.kind === "attempt") await holdFence(tx, unit, holder.fence);
    const view = await lockEngineState(tx, unit);
    const decision = decideLock(view, { id: lock.id, writer: holder });
    if (decision.outcome === "refuse") lockConflicts.add(1, { holder: holder.kind, reason: decision.refusal.reason });
    if (decision.outcome === "refuse") throw refusalError(unit, fenceOf(holder), decision.refusal);
    if (decision.outcome === "held-already") return;
    await setLock(tx, unit, lock);
    if (decision.outcome === "grant")
      return await appendStateEvent(context, tx, target, "engine-state.locked", holder, { lock: lock.id });
    const { from } = decision;
    await appendStateEvent(context, tx, target, "engine-state.lock-taken-over", holder, {
      lock: lock.id,
      from: from.id,
      fromHolder: from.holder.name,
    });
  });
}

/**
 * @param lockId undefined for a forced unlock.
 * @throws {StateLockHeldError | FencePassedError} when the lock is not the writer's to release.
 */
export async function unlockState(
  context: StateContext,
  target: StateTarget,
  writer: Writer,
  lockId: string | undefined,
): Promise<void> {
  const { tenant, unit } = target;
  await context.database.transaction(tenantScope("state", tenant, "unlock-engine-state"), async (tx) => {
    if (writer.kind === "attempt") await holdFence(tx, unit, writer.fence);
    const view = await lockEngineState(tx, unit);
    const decision = decideUnlock(view, { id: lockId, writer });
    if (decision.outcome === "refuse") throw refusalError(unit, fenceOf(writer), decision.refusal);
    if (decision.outcome === "free-already") return;
    await setLock(tx, unit, undefined);
    if (decision.outcome === "release")
      return await appendStateEvent(context, tx, target, "engine-state.unlocked", writer, { lock: lockId ?? "" });
    const { lock } = decision;
    await appendStateEvent(context, tx, target, "engine-state.lock-broken", writer, {
      lock: lock.id,
      holder: lock.holder.name,
    });
  });
}

/** Breaks whatever lock is held, or only the one named. Answers what was broken. @throws {StateLockHeldError} when it is another. */
export async function breakLock(
  context: StateContext,
  target: StateTarget,
  actor: string,
  lockId: string | undefined,
): Promise<HeldLock | undefined> {
  const { tenant, unit } = target;
  return await context.database.transaction(tenantScope("state", tenant, "break-engine-lock"), async (tx) => {
    const { lock } = await lockEngineState(tx, unit);
    if (lock === undefined) return undefined;
    if (lockId !== undefined && lock.id !== lockId) throw new StateLockHeldError(unit, lock);
    await setLock(tx, unit, undefined);
    const writer: Writer = { kind: "token", name: actor };
    await appendStateEvent(context, tx, target, "engine-state.lock-broken", writer, {
      lock: lock.id,
      holder: lock.holder.name,
    });
    return lock;
  });
}
