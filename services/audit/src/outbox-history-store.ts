import type { OwnedDatabase } from "@xcloudflow/database/database";
import { sql } from "kysely";

/**
 * Has the relays publish again what they published and the audit log never got: an in-process bus forgets what a killed
 * process had not handled. For the one-process mode, whose owner sees all schemas; call it before the relays start.
 *
 * @returns how many events go out again.
 */
export async function republishUnaudited(database: OwnedDatabase, services: readonly string[]): Promise<number> {
  return await database.asOwner("audit.republish-unaudited", async (tx) => {
    let count = 0n;
    for (const service of services) {
      const { numAffectedRows } = await sql`
        update ${sql.table(`${service}.outbox`)} as sent set published_at = null
        where sent.published_at is not null and not exists (
          select from audit.entries known where known.tenant = sent.tenant and known.event_id = sent.id
        )`.execute(tx);
      count += numAffectedRows ?? 0n;
    }
    return Number(count);
  });
}
