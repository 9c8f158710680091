import type { Migration } from "@xcloudflow/database/migrate";
import { outboxTable } from "@xcloudflow/database/outbox";
import { tenantTable } from "@xcloudflow/database/tenant-table";

/** Tokens are kept as the SHA-256 of their secret part: who reads the table cannot use them. */
export const api: Migration = {
  name: "0001-api",
  up: () => [
    ...tenantTable(
      "api.tokens",
      `id text not null,
       secret_hash bytea not null check (octet_length(secret_hash) = 32),
       role text not null,
       subject text not null,
       groups jsonb not null,
       write_state boolean not null,
       created_by text not null,
       created_at timestamptz not null,
       expires_at timestamptz not null,
       revoked_at timestamptz,
       primary key (tenant, id)`,
    ),
    ...outboxTable("api"),
  ],
};
