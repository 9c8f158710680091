import type { OutboxTable } from "@xcloudflow/database/outbox";
import type { Generated } from "kysely";

/** Rows of the schema `policy`; the columns' meaning is in `migrations/`. `tenant` is filled in by the database. */
export interface PolicyTables {
  readonly "policy.outbox": OutboxTable;
  readonly "policy.bundles": BundlesTable;
  readonly "policy.decisions": DecisionsTable;
}

export interface BundlesTable {
  tenant: Generated<string>;
  revision: string;
  rego_version: string;
  data_root: string;
  files: Uint8Array;
  created_at: Date;
}

export interface DecisionsTable {
  tenant: Generated<string>;
  decision_id: string;
  position: number;
  revision: string;
  unit: string;
  /** JSON arrays and objects as text: they are given back byte for byte and never queried. */
  namespaces: string;
  input_digest: string;
  verdict: string;
  result: string;
  erased: string;
  masked: string;
  opa_version: string;
  requested_by: string;
  decided_at: Date;
}
