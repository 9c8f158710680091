import type { Migration } from "@xcloudflow/database/migrate";

/** Where a token's role holds; an empty list, as every earlier token has it: in every environment. */
export const tokenEnvironments: Migration = {
  name: "0003-token-environments",
  up: () => ["alter table api.tokens add column environments jsonb not null default '[]'"],
};
