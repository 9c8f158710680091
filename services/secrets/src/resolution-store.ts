import type { AttemptClaims } from "@xcloudflow/chassis/attempt-token";
import type { Tx } from "@xcloudflow/database/database";
import { appendEvents } from "@xcloudflow/database/outbox";
import { tenantScope } from "@xcloudflow/database/scope";
import { sql } from "kysely";
import type { SecretsTables } from "../migrations/secrets-tables.ts";
import type { SecretsContext } from "./secrets-context.ts";
import { FencePassedError, SecretsDeliveredError } from "./secrets-errors.ts";
import { accessEvent, secretsEvent } from "./secrets-events.ts";

/**
 * @param requestDigest of the key that the request brings; undefined when it brings none.
 * @throws {FencePassedError | SecretsDeliveredError} when the attempt may not ask (any more).
 */
export async function checkAttempt(
  context: SecretsContext,
  claims: AttemptClaims,
  requestDigest: string | undefined,
): Promise<void> {
  await context.database.transaction(tenantScope("secrets", claims.tenant, "check-attempt"), async (tx) => {
    await requireFence(tx, claims);
    await requireUndelivered(tx, claims, requestDigest);
  });
}

/** Answers whether the same request was answered before. */
async function requireUndelivered(
  tx: Tx<SecretsTables>,
  { unit, task, attempt }: AttemptClaims,
  requestDigest: string | undefined,
): Promise<boolean> {
  const known = await tx
    .selectFrom("secrets.resolutions")
    .select("request_digest")
    .where("task", "=", task)
    .where("attempt", "=", BigInt(attempt))
    .executeTakeFirst();
  if (known === undefined) return false;
  if (known.request_digest === null || known.request_digest !== requestDigest)
    throw new SecretsDeliveredError(unit, task, attempt);
  return true;
}

/**
 * Notes that the attempt is answered, with an event for each reference. What it is answered may leave the service only
 * after this: of two requests with one token, one fails here. The same request again is noted once.
 *
 * @throws {FencePassedError | SecretsDeliveredError}
 */
export async function recordDelivery(
  context: SecretsContext,
  claims: AttemptClaims,
  references: readonly string[],
  requestDigest: string | undefined,
): Promise<void> {
  const { tenant, unit, task, attempt } = claims;
  await context.database.transaction(tenantScope("secrets", tenant, "record-delivery"), async (tx) => {
    await requireFence(tx, claims);
    const added = await tx
      .insertInto("secrets.resolutions")
      .values({
        task,
        attempt: BigInt(attempt),
        unit,
        resolved_at: context.clock.now(),
        request_digest: requestDigest ?? null,
      })
      .onConflict((conflict) => conflict.doNothing())
      .returning("task")
      .executeTakeFirst();
    if (added === undefined && (await requireUndelivered(tx, claims, requestDigest))) return;
    await appendEvents(
      tx,
      "secrets",
      references.map((reference) => accessEvent(context, "secret.resolved", claims, { reference })),
    );
  });
}

/** A refused access is worth knowing at least as much as a granted one. */
export async function recordRefusal(
  context: SecretsContext,
  claims: AttemptClaims,
  references: readonly string[],
  code: string,
): Promise<void> {
  await context.database.transaction(tenantScope("secrets", claims.tenant, "record-refusal"), (tx) =>
    appendEvents(tx, "secrets", [
      accessEvent(context, "secret.refused", claims, { references: [...references], code }),
    ]),
  );
}

/** Holds the fence's row, so that it cannot be raised between the check and the commit. */
async function requireFence(tx: Tx<SecretsTables>, { unit, fence }: AttemptClaims): Promise<void> {
  const row = await tx
    .selectFrom("secrets.fences")
    .select("fence")
    .where("unit", "=", unit)
    .forShare()
    .executeTakeFirst();
  if (row !== undefined && row.fence > BigInt(fence)) throw new FencePassedError(unit, BigInt(fence), row.fence);
}

/** The fence in force afterwards; never lower than before. */
export async function raiseFence(
  context: SecretsContext,
  { tenant, actor }: { readonly tenant: string; readonly actor: string },
  unit: string,
  fence: bigint,
): Promise<bigint> {
  return await context.database.transaction(tenantScope("secrets", tenant, "raise-fence"), async (tx) => {
    const raised = await tx
      .insertInto("secrets.fences")
      .values({ unit, fence })
      .onConflict((conflict) =>
        conflict.columns(["tenant", "unit"]).doUpdateSet({ fence }).where(sql.ref("secrets.fences.fence"), "<", fence),
      )
      .returning("fence")
      .executeTakeFirst();
    if (raised === undefined) {
      const known = await tx.selectFrom("secrets.fences").select("fence").where("unit", "=", unit).executeTakeFirst();
      return known?.fence ?? fence;
    }
    await appendEvents(tx, "secrets", [
      secretsEvent(context, "fence.raised", { tenant, actor, subject: unit, data: { fence: Number(fence) } }),
    ]);
    return raised.fence;
  });
}
