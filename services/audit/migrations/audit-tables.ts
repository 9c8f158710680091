import type { Generated } from "kysely";

/** Rows of the schema `audit`; `tenant` is filled in by the database. */
export interface AuditTables {
  readonly "audit.logs": LogsTable;
  readonly "audit.entries": EntriesTable;
  readonly "audit.nodes": NodesTable;
  readonly "audit.checkpoints": CheckpointsTable;
}

type Tenant = Generated<string>;

export interface LogsTable {
  tenant: Tenant;
  /** Names the log in its checkpoints. */
  origin: string;
  size: bigint;
  /** Roots of the perfect subtrees, largest first, 32 bytes each. */
  frontier: Uint8Array;
  updated_at: Date;
}

export interface EntriesTable {
  tenant: Tenant;
  index: bigint;
  event_id: string;
  /** `orchestrator.approval.given` */
  type: string;
  actor: string;
  /** Unit, ChangeSet, run: whatever somebody would look the event up by. */
  concerns: readonly string[];
  time: Date;
  /** CloudEvents JSON, byte for byte as received and hashed. */
  leaf: Uint8Array;
  leaf_hash: Uint8Array;
}

export interface NodesTable {
  tenant: Tenant;
  level: number;
  index: bigint;
  hash: Uint8Array;
}

export interface CheckpointsTable {
  tenant: Tenant;
  size: bigint;
  /** C2SP signed note. */
  note: string;
  created_at: Date;
}
