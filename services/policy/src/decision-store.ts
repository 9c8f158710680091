import type { Tx } from "@xcloudflow/database/database";
import type { PolicyTables } from "../migrations/policy-tables.ts";
import type { DecisionRow } from "./decision-log.ts";

/** PostgreSQL takes 65,535 parameters in a statement. */
const ROWS_PER_STATEMENT = 1000;

export async function insertDecisions(tx: Tx<PolicyTables>, rows: readonly DecisionRow[]): Promise<void> {
  for (let from = 0; from < rows.length; from += ROWS_PER_STATEMENT) {
    await tx
      .insertInto("policy.decisions")
      .values(rows.slice(from, from + ROWS_PER_STATEMENT))
      .execute();
  }
}

export interface DecisionQuery {
  readonly decisionId?: string;
  readonly unit?: string;
  readonly limit: number;
}

/** Newest first. */
export async function selectDecisions(
  tx: Tx<PolicyTables>,
  { decisionId, unit, limit }: DecisionQuery,
): Promise<DecisionRow[]> {
  let query = tx.selectFrom("policy.decisions").selectAll();
  if (decisionId !== undefined) query = query.where("decision_id", "=", decisionId);
  if (unit !== undefined) query = query.where("unit", "=", unit);
  return query.orderBy("decided_at", "desc").orderBy("decision_id", "desc").orderBy("position").limit(limit).execute();
}
