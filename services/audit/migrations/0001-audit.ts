import type { Migration } from "@xcloudflow/database/migrate";
import { tenantTable } from "@xcloudflow/database/tenant-table";

/**
 * Each tenant has a log of its own. Rows are only ever added; who changes one is found out by `Verify` and by every
 * exported checkpoint, since the key that signs checkpoints is not in the database.
 */
export const audit: Migration = {
  name: "0001-audit",
  up: () => [
    // One row a tenant, locked by whoever appends: that makes a single writer.
    ...tenantTable(
      "audit.logs",
      `origin text not null,
       size bigint not null check (size >= 0),
       frontier bytea not null,
       updated_at timestamptz not null,
       primary key (tenant)`,
    ),
    ...tenantTable(
      "audit.entries",
      `index bigint not null check (index >= 0),
       event_id text not null,
       type text not null,
       actor text not null,
       concerns jsonb not null,
       time timestamptz not null,
       leaf bytea not null,
       leaf_hash bytea not null,
       primary key (tenant, index),
       unique (tenant, event_id)`,
    ),
    "create index entries_concerns on audit.entries using gin (concerns jsonb_path_ops)",
    "create index entries_actor on audit.entries (tenant, actor, index)",
    // Inner nodes that are complete; leaves are in the entries.
    ...tenantTable(
      "audit.nodes",
      `level integer not null check (level > 0),
       index bigint not null,
       hash bytea not null,
       primary key (tenant, level, index)`,
    ),
    ...tenantTable(
      "audit.checkpoints",
      `size bigint not null,
       note text not null,
       created_at timestamptz not null,
       primary key (tenant, size)`,
    ),
  ],
};
