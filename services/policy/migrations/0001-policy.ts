import type { Migration } from "@xcloudflow/database/migrate";
import { outboxTable } from "@xcloudflow/database/outbox";
import { tenantTable } from "@xcloudflow/database/tenant-table";

export const policy: Migration = {
  name: "0001-policy",
  up: () => [
    ...outboxTable("policy"),
    // Content-addressed, so a row never changes; `files` is gzipped JSON.
    ...tenantTable(
      "policy.bundles",
      `revision text not null,
       rego_version text not null check (rego_version in ('v0', 'v1')),
       data_root text not null,
       files bytea not null,
       created_at timestamptz not null,
       primary key (tenant, revision)`,
    ),
    // One row per revision and subject of a call; `decision_id` is the call's. Inputs are kept as digests only.
    ...tenantTable(
      "policy.decisions",
      `decision_id text not null,
       position integer not null,
       revision text not null,
       unit text not null,
       namespaces text not null,
       input_digest text not null,
       verdict text not null check (verdict in ('allow', 'deny')),
       result text not null,
       erased text not null,
       masked text not null,
       opa_version text not null,
       requested_by text not null,
       decided_at timestamptz not null,
       primary key (tenant, decision_id, position)`,
    ),
    "create index decisions_time on policy.decisions (tenant, decided_at, decision_id)",
    "create index decisions_unit on policy.decisions (tenant, unit, decided_at)",
  ],
};
