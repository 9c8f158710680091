import type { Clock } from "@xcloudflow/chassis/clock";
import { sql } from "kysely";
import type { Database } from "./database.ts";
import { systemScope } from "./scope.ts";
import { tenantTable } from "./tenant-table.ts";

/** Statements for a migration of a service whose replicas relay at once: who relays now, and into which store. */
export function relayTable(service: string): readonly string[] {
  return tenantTable(
    `${service}.outbox_relay`,
    `holder text not null,
     expires_at timestamptz not null,
     store text,
     primary key (tenant)`,
  );
}

export interface RelayLease {
  /** Whether this process relays now; asks the database only when it does not know. */
  hold(): Promise<boolean>;
  /** Whether it surely still does. */
  isHeld(): boolean;
  /**
   * Says what the bus's store is now. Where events were published to another, those that are kept become unpublished.
   *
   * @returns how many.
   */
  noteStore(identity: string): Promise<number>;
  release(): Promise<void>;
}

/** The table's only row belongs to no tenant. */
const ROW = "relay";

/**
 * One relay a service at a time, so that its events stay in order however many replicas there are. The database's clock
 * decides when a lease has run out; the holder counts its own from before it asked.
 */
export function createRelayLease(
  database: Database,
  service: string,
  clock: Clock,
  { holder, durationMs }: { readonly holder: string; readonly durationMs: number },
): RelayLease {
  const lease = sql.table(`${service}.outbox_relay`);
  const outbox = sql.table(`${service}.outbox`);
  let heldUntil = Number.NEGATIVE_INFINITY;
  let askAgainAt = Number.NEGATIVE_INFINITY;
  let store: string | undefined;
  const now = (): number => clock.now().getTime();

  async function ask(): Promise<boolean> {
    const asked = now();
    const row = await database.transaction(systemScope(service, "outbox.lease"), async (tx) => {
      const { rows } = await sql<{ store: string | null }>`insert into ${lease} (tenant, holder, expires_at)
        values (${ROW}, ${holder}, now() + ${durationMs} * interval '1 millisecond')
        on conflict (tenant) do update set holder = excluded.holder, expires_at = excluded.expires_at
        where outbox_relay.holder = excluded.holder or outbox_relay.expires_at < now()
        returning store`.execute(tx);
      return rows[0];
    });
    askAgainAt = asked + durationMs / 3;
    if (row === undefined) {
      heldUntil = Number.NEGATIVE_INFINITY;
      return false;
    }
    heldUntil = asked + durationMs;
    store = row.store ?? undefined;
    return true;
  }

  return {
    hold: async () => (now() < askAgainAt ? now() < heldUntil : await ask()),
    isHeld: () => now() < heldUntil,
    async noteStore(identity) {
      if (identity === store) return 0;
      const lost = await database.transaction(systemScope(service, "outbox.note-store"), async (tx) => {
        const { rows } = await sql<{ store: string | null }>`select store from ${lease}
          where tenant = ${ROW} and holder = ${holder} for update`.execute(tx);
        const [row] = rows;
        if (row === undefined || row.store === identity) return 0;
        await sql`update ${lease} set store = ${identity} where tenant = ${ROW}`.execute(tx);
        if (row.store === null) return 0;
        const { numAffectedRows } =
          await sql`update ${outbox} set published_at = null where published_at is not null`.execute(tx);
        return Number(numAffectedRows ?? 0n);
      });
      store = identity;
      return lost;
    },
    async release() {
      if (heldUntil === Number.NEGATIVE_INFINITY) return;
      heldUntil = Number.NEGATIVE_INFINITY;
      await database.transaction(systemScope(service, "outbox.release"), async (tx) => {
        await sql`update ${lease} set expires_at = now() where tenant = ${ROW} and holder = ${holder}`.execute(tx);
      });
    },
  };
}
