import type { XcfEvent } from "@xcloudflow/chassis/event";
import type { Database } from "@xcloudflow/database/database";
import { jsonb } from "@xcloudflow/database/json-column";
import { appendEvents } from "@xcloudflow/database/outbox";
import { tenantScope } from "@xcloudflow/database/scope";
import type { ApiTables } from "../migrations/api-tables.ts";

/** A token as it is kept: everything but its secret. */
export interface StoredToken {
  readonly id: string;
  readonly secretHash: Uint8Array;
  readonly role: string;
  readonly subject: string;
  readonly groups: readonly string[];
  /** Where the role holds; none: everywhere. */
  readonly environments: readonly string[];
  readonly writeState: boolean;
  readonly createdBy: string;
  readonly createdAt: Date;
  readonly expiresAt: Date;
  readonly revokedAt: Date | undefined;
}

export interface TokenStore {
  add(tenant: string, token: StoredToken, event: XcfEvent): Promise<void>;
  /**
   * Has exactly this token, for one that configuration gives. A revoked one stays revoked, and one that was made by
   * somebody else is left alone (`taken`). The event is written when something changes but the expiry.
   */
  keep(tenant: string, token: StoredToken, event: XcfEvent): Promise<Kept>;
  find(tenant: string, id: string): Promise<StoredToken | undefined>;
  /** Newest first. */
  list(tenant: string): Promise<readonly StoredToken[]>;
  /** False when there is no such token. A second time changes nothing and says so by writing no event. */
  revoke(tenant: string, id: string, at: Date, event: XcfEvent): Promise<boolean>;
}

export type Kept = "added" | "replaced" | "kept" | "revoked" | "taken";

export function createTokenStore(database: Database<ApiTables>): TokenStore {
  return {
    async add(tenant, token, event) {
      await database.transaction(tenantScope("api", tenant, "add-token"), async (tx) => {
        await tx.insertInto("api.tokens").values(rowOf(token)).execute();
        await appendEvents(tx, "api", [event]);
      });
    },
    async keep(tenant, token, event) {
      return await database.transaction(tenantScope("api", tenant, "keep-token"), async (tx) => {
        const { numInsertedOrUpdatedRows } = await tx
          .insertInto("api.tokens")
          .values(rowOf(token))
          .onConflict((conflict) => conflict.columns(["tenant", "id"]).doNothing())
          .executeTakeFirst();
        if (numInsertedOrUpdatedRows === 1n) {
          await appendEvents(tx, "api", [event]);
          return "added";
        }
        const row = await tx
          .selectFrom("api.tokens")
          .select(["secret_hash", "created_by", "revoked_at"])
          .where("id", "=", token.id)
          .forUpdate()
          .executeTakeFirstOrThrow();
        if (row.created_by !== token.createdBy) return "taken";
        const same = Buffer.compare(row.secret_hash, token.secretHash) === 0;
        if (same && row.revoked_at !== null) return "revoked";
        const changed = same ? { expires_at: token.expiresAt } : rowOf(token);
        await tx.updateTable("api.tokens").set(changed).where("id", "=", token.id).execute();
        if (!same) await appendEvents(tx, "api", [event]);
        return same ? "kept" : "replaced";
      });
    },
    async find(tenant, id) {
      const row = await database.transaction(tenantScope("api", tenant, "find-token"), (tx) =>
        tx.selectFrom("api.tokens").selectAll().where("id", "=", id).executeTakeFirst(),
      );
      return row === undefined ? undefined : tokenOf(row);
    },
    async list(tenant) {
      const rows = await database.transaction(tenantScope("api", tenant, "list-tokens"), (tx) =>
        tx.selectFrom("api.tokens").selectAll().orderBy("created_at", "desc").orderBy("id", "desc").execute(),
      );
      return rows.map(tokenOf);
    },
    async revoke(tenant, id, at, event) {
      return await database.transaction(tenantScope("api", tenant, "revoke-token"), async (tx) => {
        const row = await tx
          .selectFrom("api.tokens")
          .select("revoked_at")
          .where("id", "=", id)
          .forUpdate()
          .executeTakeFirst();
        if (row === undefined) return false;
        if (row.revoked_at !== null) return true;
        await tx.updateTable("api.tokens").set({ revoked_at: at }).where("id", "=", id).execute();
        await appendEvents(tx, "api", [event]);
        return true;
      });
    },
  };
}

function rowOf(token: StoredToken) {
  return {
    id: token.id,
    secret_hash: token.secretHash,
    role: token.role,
    subject: token.subject,
    groups: jsonb(token.groups),
    environments: jsonb(token.environments),
    write_state: token.writeState,
    created_by: token.createdBy,
    created_at: token.createdAt,
    expires_at: token.expiresAt,
    revoked_at: token.revokedAt ?? null,
  };
}

type Row = Omit<ApiTables["api.tokens"], "tenant">;

function tokenOf(row: Row): StoredToken {
  return {
    id: row.id,
    secretHash: row.secret_hash,
    role: row.role,
    subject: row.subject,
    groups: row.groups,
    environments: row.environments,
    writeState: row.write_state,
    createdBy: row.created_by,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    revokedAt: row.revoked_at ?? undefined,
  };
}
