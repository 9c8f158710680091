import type { Generated } from "kysely";

/** Rows of the schema `secrets`; the columns' meaning is in `0001-secrets.ts`. The database fills in `tenant`. */
export interface SecretsTables {
  readonly "secrets.backends": BackendsTable;
  readonly "secrets.fences": FencesTable;
  readonly "secrets.resolutions": ResolutionsTable;
}

export interface BackendsTable {
  tenant: Generated<string>;
  repository: string;
  document: string;
  updated_at: Date;
}

export interface FencesTable {
  tenant: Generated<string>;
  unit: string;
  fence: bigint;
}

export interface ResolutionsTable {
  tenant: Generated<string>;
  task: string;
  attempt: bigint;
  unit: string;
  resolved_at: Date;
  request_digest: string | null;
}
