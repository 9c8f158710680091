import { type EnvelopeContext, sealBytes } from "@xcloudflow/chassis/envelope-encryption";
import { appendEvents } from "@xcloudflow/database/outbox";
import { tenantScope } from "@xcloudflow/database/scope";
import { parseAddress } from "@xcloudflow/model/address";
import { decodeDocument } from "@xcloudflow/model/parse-json";
import { resourceChangeSchema } from "@xcloudflow/model/unit-plan";
import { z } from "zod";
import { openDocument } from "./sealed-document.ts";
import type { StateContext } from "./state-context.ts";
import { stateEvent } from "./state-events.ts";

const changesSchema = z.array(resourceChangeSchema);

export function driftEnvelope(tenant: string, unit: string, run: string): EnvelopeContext {
  return { tenant, unit, kind: "drift", version: run };
}

/** Opens or renews a unit's drift record; no changes close it. */
export async function putDrift(
  context: StateContext,
  { tenant, actor }: { readonly tenant: string; readonly actor: string },
  { unit, run, changes }: { readonly unit: string; readonly run: string; readonly changes: Uint8Array },
): Promise<void> {
  const found = decodeDocument(changesSchema, changes, "changes_document");
  const key = await context.keyring.current(tenant);
  const row = {
    environment: parseAddress(unit).environment,
    run,
    changes: sealBytes(key, driftEnvelope(tenant, unit, run), changes),
    detected_at: context.clock.now(),
  };
  await context.database.transaction(tenantScope("state", tenant, "put-drift"), async (tx) => {
    if (found.length === 0) {
      const { numDeletedRows } = await tx.deleteFrom("state.drift").where("unit", "=", unit).executeTakeFirst();
      if (numDeletedRows === 0n) return;
      return await appendEvents(tx, "state", [
        stateEvent(context, "drift.closed", { tenant, actor, subject: unit, data: { run } }),
      ]);
    }
    await tx
      .insertInto("state.drift")
      .values({ unit, ...row })
      .onConflict((conflict) => conflict.columns(["tenant", "unit"]).doUpdateSet(row))
      .execute();
    const data = { run, resources: found.map(({ address }) => address) };
    await appendEvents(tx, "state", [stateEvent(context, "drift.recorded", { tenant, actor, subject: unit, data })]);
  });
}

export interface DriftRecord {
  readonly unit: string;
  readonly run: string;
  readonly detectedAt: Date;
  readonly changes: Uint8Array;
}

/** Open records; empty `environment`: all. */
export async function listDrift(
  context: StateContext,
  tenant: string,
  environment: string,
): Promise<readonly DriftRecord[]> {
  const rows = await context.database.transaction(tenantScope("state", tenant, "list-drift"), (tx) =>
    tx
      .selectFrom("state.drift")
      .select(["unit", "run", "changes", "detected_at"])
      .$if(environment !== "", (query) => query.where("environment", "=", environment))
      .orderBy("unit")
      .execute(),
  );
  const records: DriftRecord[] = [];
  for (const { unit, run, changes, detected_at } of rows) {
    records.push({
      unit,
      run,
      detectedAt: detected_at,
      changes: await openDocument(context.keyring, driftEnvelope(tenant, unit, run), changes),
    });
  }
  return records;
}
