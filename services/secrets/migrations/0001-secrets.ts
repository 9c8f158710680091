import type { Migration } from "@xcloudflow/database/migrate";
import { outboxTable } from "@xcloudflow/database/outbox";
import { tenantTable } from "@xcloudflow/database/tenant-table";

/** No value of a secret is ever stored: only where to look, who may still ask, and who has asked. */
export const secrets: Migration = {
  name: "0001-secrets",
  up: () => [
    ...tenantTable(
      "secrets.backends",
      `repository text not null,
       document text not null,
       updated_at timestamptz not null,
       primary key (tenant, repository)`,
    ),
    // Only ever grows: who asks with a lower number is too late.
    ...tenantTable(
      "secrets.fences",
      `unit text not null,
       fence bigint not null check (fence >= 0),
       primary key (tenant, unit)`,
    ),
    // An attempt is answered once; its row is written by the transaction that answers it.
    ...tenantTable(
      "secrets.resolutions",
      `task text not null,
       attempt bigint not null,
       unit text not null,
       resolved_at timestamptz not null,
       primary key (tenant, task, attempt)`,
    ),
    ...outboxTable("secrets"),
  ],
};
