import type { Migration } from "@xcloudflow/database/migrate";
import { outboxTable } from "@xcloudflow/database/outbox";
import { tenantTable } from "@xcloudflow/database/tenant-table";

/**
 * What is `bytea` is encrypted, except `wrapped`, which is a key encrypted by another key. There are no foreign keys:
 * PostgreSQL checks them as the table's owner, whom forced row-level security lets see nothing.
 */
export const state: Migration = {
  name: "0001-state",
  up: () => [
    ...tenantTable(
      "state.data_keys",
      `generation integer not null check (generation > 0),
       id text not null,
       key_encryption text not null,
       wrapped bytea not null,
       primary key (tenant, generation),
       unique (tenant, id)`,
    ),
    // A blob without a header is being uploaded, or was left behind by an upload that failed.
    ...tenantTable(
      "state.blobs",
      `id text not null,
       header bytea,
       chunks integer not null,
       created_at timestamptz not null,
       primary key (tenant, id)`,
    ),
    "create index blobs_staged on state.blobs (created_at) where header is null",
    ...tenantTable(
      "state.blob_chunks",
      `blob text not null,
       position integer not null,
       data bytea not null,
       primary key (tenant, blob, position)`,
    ),
    // Ciphertext does not compress; trying costs more than storing it.
    "alter table state.blob_chunks alter column data set storage external",
    ...tenantTable(
      "state.artefacts",
      `id text not null,
       kind text not null,
       unit text not null,
       size bigint not null,
       blob text not null,
       created_at timestamptz not null,
       primary key (tenant, id)`,
    ),
    ...tenantTable(
      "state.change_sets",
      `id text not null,
       digest text not null,
       environment text not null,
       document bytea not null,
       created_at timestamptz not null,
       primary key (tenant, id)`,
    ),
    // Only ever grows: who writes with a lower number is too late.
    ...tenantTable(
      "state.fences",
      `unit text not null,
       fence bigint not null check (fence >= 0),
       primary key (tenant, unit)`,
    ),
    // One row per unit, locked by every write to the unit's state. `lock_fence` is null when a person holds the lock.
    ...tenantTable(
      "state.engine_states",
      `unit text not null,
       environment text not null,
       last_version bigint not null default 0,
       current_version bigint,
       lock_id text,
       lock_info text,
       lock_holder text,
       lock_fence bigint,
       primary key (tenant, unit),
       check ((lock_id is null) = (lock_info is null) and (lock_id is null) = (lock_holder is null))`,
    ),
    // `digest` is an HMAC under a key of the tenant's: it tells equal states apart from others, and nothing else.
    ...tenantTable(
      "state.engine_state_versions",
      `unit text not null,
       version bigint not null,
       status text not null check (status in ('current', 'past', 'quarantined')),
       serial bigint not null,
       lineage text not null,
       digest text not null,
       size bigint not null,
       blob text not null,
       writer text not null,
       by_attempt boolean not null,
       fence bigint not null,
       created_at timestamptz not null,
       primary key (tenant, unit, version)`,
    ),
    "create unique index engine_state_versions_current on state.engine_state_versions (tenant, unit) where status = 'current'",
    ...tenantTable(
      "state.applied",
      `unit text not null,
       environment text not null,
       fence bigint not null,
       pointer bytea not null,
       updated_at timestamptz not null,
       primary key (tenant, unit)`,
    ),
    ...tenantTable(
      "state.unit_outputs",
      `unit text not null,
       name text not null,
       sensitive boolean not null,
       value bytea not null,
       fence bigint not null,
       updated_at timestamptz not null,
       primary key (tenant, unit, name)`,
    ),
    ...tenantTable(
      "state.drift",
      `unit text not null,
       environment text not null,
       run text not null,
       changes bytea not null,
       detected_at timestamptz not null,
       primary key (tenant, unit)`,
    ),
    ...outboxTable("state"),
  ],
};
