import type { Generated } from "kysely";

/** Rows of the schema `api`; `tenant` is filled in by the database. */
export interface ApiTables {
  readonly "api.tokens": TokensTable;
}

export interface TokensTable {
  tenant: Generated<string>;
  id: string;
  secret_hash: Uint8Array;
  role: string;
  subject: string;
  groups: readonly string[];
  environments: readonly string[];
  write_state: boolean;
  created_by: string;
  created_at: Date;
  expires_at: Date;
  revoked_at: Date | null;
}
