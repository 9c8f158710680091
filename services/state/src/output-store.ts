import type { AttemptClaims } from "@xcloudflow/chassis/attempt-token";
import { type EnvelopeContext, sealBytes } from "@xcloudflow/chassis/envelope-encryption";
import { appendEvents } from "@xcloudflow/database/outbox";
import { tenantScope } from "@xcloudflow/database/scope";
import { jsonValueSchema } from "@xcloudflow/model/json-value";
import { decodeDocument } from "@xcloudflow/model/parse-json";
import { redactionHmac } from "@xcloudflow/model/redaction-hmac";
import type { UnitOutput } from "@xcloudflow/model/unit-plan";
import { requireFence, requireUnpassedFence } from "./attempt.ts";
import { openDocument } from "./sealed-document.ts";
import type { StateContext } from "./state-context.ts";
import { AttemptNotEntitledError, RecordMissingError } from "./state-errors.ts";
import { attemptActor, stateEvent } from "./state-events.ts";

export interface OfferedOutput {
  readonly name: string;
  readonly sensitive: boolean;
  /** JSON. */
  readonly value: Uint8Array;
  /** JSON; empty when the engine names no type. */
  readonly type: Uint8Array;
}

export function outputEnvelope(tenant: string, unit: string, name: string, fence: bigint): EnvelopeContext {
  return { tenant, unit, kind: "output", version: `${fence} ${name}` };
}

/**
 * Redacts an attempt's outputs, and keeps those of an apply as the unit's own: they replace the ones before. What a plan
 * says its outputs are is redacted only, because other units must never be given what nobody has applied.
 *
 * @throws {FencePassedError} when a later attempt has the unit.
 */
export async function putOutputs(
  context: StateContext,
  claims: AttemptClaims,
  offered: readonly OfferedOutput[],
): Promise<Readonly<Record<string, UnitOutput>>> {
  const redactionKey = await context.keyring.derive(claims.tenant, "redaction");
  const redacted = Object.fromEntries(offered.map((output) => [output.name, redactOutput(redactionKey, output)]));
  if (claims.purpose === "apply") await keepOutputs(context, claims, offered);
  return redacted;
}

function redactOutput(key: Uint8Array, { name, sensitive, value, type }: OfferedOutput): UnitOutput {
  const known = decodeDocument(jsonValueSchema, value, `outputs.${name}.value`);
  const typed = type.length === 0 ? {} : { type: decodeDocument(jsonValueSchema, type, `outputs.${name}.type`) };
  return sensitive
    ? { unknown: false, sensitive, hmac: redactionHmac(key, known), ...typed }
    : { unknown: false, sensitive, value: known, ...typed };
}

async function keepOutputs(
  context: StateContext,
  claims: AttemptClaims,
  offered: readonly OfferedOutput[],
): Promise<void> {
  const { tenant, unit } = claims;
  const fence = BigInt(claims.fence);
  const key = await context.keyring.current(tenant);
  const now = context.clock.now();
  const rows = offered.map(({ name, sensitive, value }) => ({
    unit,
    name,
    sensitive,
    value: sealBytes(key, outputEnvelope(tenant, unit, name, fence), value),
    fence,
    updated_at: now,
  }));
  await context.database.transaction(tenantScope("state", tenant, "put-outputs"), async (tx) => {
    await requireFence(tx, unit, fence);
    await tx.deleteFrom("state.unit_outputs").where("unit", "=", unit).execute();
    if (rows.length > 0) await tx.insertInto("state.unit_outputs").values(rows).execute();
    const data = { names: offered.map(({ name }) => name), fence: claims.fence };
    await appendEvents(tx, "state", [
      stateEvent(context, "outputs.stored", { tenant, actor: attemptActor(claims), subject: unit, data }),
    ]);
  });
}

export interface OutputReference {
  readonly unit: string;
  readonly output: string;
}

/**
 * Values, as JSON, of outputs that the attempt's token names.
 *
 * @throws {AttemptNotEntitledError} when it does not name one of them.
 * @throws {FencePassedError} when a later attempt has the asking unit.
 * @throws {RecordMissingError} when a unit has no such output.
 */
export async function resolveOutputs(
  context: StateContext,
  claims: AttemptClaims,
  references: readonly OutputReference[],
): Promise<readonly Uint8Array[]> {
  const { tenant } = claims;
  for (const { unit, output } of references) {
    if (claims.outputs.some((named) => named.unit === unit && named.output === output)) continue;
    throw new AttemptNotEntitledError(claims.unit, `read output ${output} of ${unit}`);
  }
  const rows = await context.database.transaction(tenantScope("state", tenant, "resolve-outputs"), async (tx) => {
    await requireUnpassedFence(tx, claims);
    const found: { unit: string; name: string; value: Uint8Array; fence: bigint }[] = [];
    for (const { unit, output } of references) {
      const row = await tx
        .selectFrom("state.unit_outputs")
        .select(["unit", "name", "value", "fence"])
        .where("unit", "=", unit)
        .where("name", "=", output)
        .executeTakeFirst();
      if (row === undefined) throw new RecordMissingError("output", `${output} of ${unit}`);
      found.push(row);
    }
    const data = { outputs: references.map(({ unit, output }) => `${unit}.${output}`) };
    if (references.length > 0) {
      await appendEvents(tx, "state", [
        stateEvent(context, "outputs.resolved", { tenant, actor: attemptActor(claims), subject: claims.unit, data }),
      ]);
    }
    return found;
  });
  const values: Uint8Array[] = [];
  for (const { unit, name, fence, value } of rows)
    values.push(await openDocument(context.keyring, outputEnvelope(tenant, unit, name, fence), value));
  return values;
}
