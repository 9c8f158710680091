import { type AttemptClaims, verifyAttemptToken } from "@xcloudflow/chassis/attempt-token";
import type { Caller } from "@xcloudflow/chassis/caller";
import type { Tx } from "@xcloudflow/database/database";
import type { StateTables } from "../migrations/state-tables.ts";
import { holdFence, readFence } from "./fence-store.ts";
import type { StateContext } from "./state-context.ts";
import { AttemptNotEntitledError, FencePassedError } from "./state-errors.ts";

/**
 * The claims of a call's attempt token.
 *
 * @throws {AttemptTokenInvalidError} when it is forged or expired.
 * @throws {AttemptNotEntitledError} when the worker's own tenant is another.
 */
export async function claimsOf(context: StateContext, caller: Caller, token: string): Promise<AttemptClaims> {
  const claims = await verifyAttemptToken(context.attemptKey, token, context.clock.now());
  if (claims.tenant !== caller.tenant) throw new AttemptNotEntitledError(claims.unit, "act for another tenant");
  return claims;
}

/** @throws {FencePassedError} when a later attempt has the unit. */
export async function requireFence(tx: Tx<StateTables>, unit: string, fence: bigint): Promise<void> {
  if (await holdFence(tx, unit, fence)) return;
  throw new FencePassedError(unit, fence, await readFence(tx, unit));
}

/** For reads, which must not raise anything. @throws {FencePassedError} */
export async function requireUnpassedFence(tx: Tx<StateTables>, { unit, fence }: AttemptClaims): Promise<void> {
  const current = await readFence(tx, unit);
  if (current > BigInt(fence)) throw new FencePassedError(unit, BigInt(fence), current);
}
