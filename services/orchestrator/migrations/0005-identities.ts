import type { Migration } from "@xcloudflow/database/migrate";

/** Who is who, as the ChangeSet's governing commit says; null for what was planned before, and where nothing is declared. */
export const identities: Migration = {
  name: "0005-identities",
  up: () => ["alter table orchestrator.change_set add column identities text"],
};
