import type { Tx } from "@xcloudflow/database/database";
import { sql } from "kysely";
import type { StateTables } from "../migrations/state-tables.ts";

export async function readFence(tx: Tx<StateTables>, unit: string): Promise<bigint> {
  const row = await tx.selectFrom("state.fences").select("fence").where("unit", "=", unit).executeTakeFirst();
  return row?.fence ?? 0n;
}

/** The fence in force afterwards; never lower than before. */
export async function raiseFence(
  tx: Tx<StateTables>,
  unit: string,
  fence: bigint,
): Promise<{ readonly fence: bigint; readonly raised: boolean }> {
  const raised = await tx
    .insertInto("state.fences")
    .values({ unit, fence })
    .onConflict((conflict) =>
      conflict.columns(["tenant", "unit"]).doUpdateSet({ fence }).where(sql.ref("state.fences.fence"), "<", fence),
    )
    .returning("fence")
    .executeTakeFirst();
  return raised === undefined
    ? { fence: await readFence(tx, unit), raised: false }
    : { fence: raised.fence, raised: true };
}

/**
 * Holds the unit's fence at the writer's number until the transaction ends, so that no later attempt begins to write in
 * between. False when a later attempt already has. A number higher than known is believed, since only the orchestrator
 * signs numbers, and raises the fence.
 */
export async function holdFence(tx: Tx<StateTables>, unit: string, fence: bigint): Promise<boolean> {
  const held = await tx
    .insertInto("state.fences")
    .values({ unit, fence })
    .onConflict((conflict) =>
      conflict.columns(["tenant", "unit"]).doUpdateSet({ fence }).where(sql.ref("state.fences.fence"), "<=", fence),
    )
    .returning("fence")
    .executeTakeFirst();
  return held !== undefined;
}
