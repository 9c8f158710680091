import { defineDuration, observeGauges } from "@xcloudflow/chassis/instruments";
import { sql } from "kysely";
import type { Database } from "./database.ts";
import { systemScope } from "./scope.ts";

/** Labels: `transaction` (its name: `orchestrator.claim-task`), `outcome` (committed, failed). Waiting for a turn included. */
export const transactionDuration = defineDuration({
  name: "xcf_database_transaction_duration_seconds",
  description: "How long transactions took, with what they waited for and every retry of a lost race.",
});

const OUTBOX = {
  rows: { name: "xcf_outbox_rows", description: "Events that are committed and not published yet." },
  age: {
    name: "xcf_outbox_age_seconds",
    description: "Age of the oldest event that is not published yet; 0 for none.",
  },
};

interface Lag {
  readonly rows: bigint | number;
  readonly age: number | string | null;
}

/**
 * Shows how far the relay of one service's outbox is behind, under the label `service`.
 *
 * @returns ends the observation.
 */
export function observeOutbox(database: Database, service: string, onError: (error: unknown) => void): () => void {
  const attributes = { service };
  return observeGauges(
    OUTBOX,
    async () => {
      const lag = await database.transaction(systemScope(service, "outbox.measure"), async (tx) => {
        const { rows } =
          await sql<Lag>`select count(*) as rows, extract(epoch from now() - min(written_at))::float8 as age
          from ${sql.table(`${service}.outbox`)} where published_at is null`.execute(tx);
        return rows[0];
      });
      return {
        rows: [{ value: Number(lag?.rows ?? 0), attributes }],
        age: [{ value: Math.max(0, Number(lag?.age ?? 0)), attributes }],
      };
    },
    onError,
  );
}
