import type { WrappedDataKeyStore } from "@xcloudflow/chassis/keyring";
import type { Database } from "@xcloudflow/database/database";
import { tenantScope } from "@xcloudflow/database/scope";
import type { StateTables } from "../migrations/state-tables.ts";

/** The tenants' data keys, wrapped: useless without the key-encryption key. */
export function createDataKeyStore(database: Database<StateTables>): WrappedDataKeyStore {
  return {
    async list(tenant) {
      return await database.transaction(tenantScope("state", tenant, "list-data-keys"), async (tx) => {
        const rows = await tx.selectFrom("state.data_keys").selectAll().orderBy("generation").execute();
        return rows.map(({ id, generation, key_encryption, wrapped }) => ({
          id,
          generation,
          keyEncryption: key_encryption,
          wrapped,
        }));
      });
    },
    async add(tenant, { id, generation, keyEncryption, wrapped }) {
      return await database.transaction(tenantScope("state", tenant, "add-data-key"), async (tx) => {
        const row = await tx
          .insertInto("state.data_keys")
          .values({ id, generation, key_encryption: keyEncryption, wrapped })
          .onConflict((conflict) => conflict.doNothing())
          .returning("id")
          .executeTakeFirst();
        return row !== undefined;
      });
    },
  };
}
