import type { Generated } from "kysely";

/** Rows of the schema `state`; the columns' meaning is in `migrations/`. `tenant` is filled in by the database. */
export interface StateTables {
  readonly "state.data_keys": DataKeysTable;
  readonly "state.blobs": BlobsTable;
  readonly "state.blob_chunks": BlobChunksTable;
  readonly "state.artefacts": ArtefactsTable;
  readonly "state.change_sets": ChangeSetsTable;
  readonly "state.fences": FencesTable;
  readonly "state.engine_states": EngineStatesTable;
  readonly "state.engine_state_versions": EngineStateVersionsTable;
  readonly "state.applied": AppliedTable;
  readonly "state.unit_outputs": UnitOutputsTable;
  readonly "state.drift": DriftTable;
}

type Tenant = Generated<string>;

export interface DataKeysTable {
  tenant: Tenant;
  generation: number;
  id: string;
  key_encryption: string;
  wrapped: Uint8Array;
}

export interface BlobsTable {
  tenant: Tenant;
  id: string;
  header: Uint8Array | null;
  chunks: number;
  created_at: Date;
}

export interface BlobChunksTable {
  tenant: Tenant;
  blob: string;
  position: number;
  data: Uint8Array;
}

export interface ArtefactsTable {
  tenant: Tenant;
  id: string;
  kind: string;
  unit: string;
  size: bigint;
  blob: string;
  created_at: Date;
}

export interface ChangeSetsTable {
  tenant: Tenant;
  id: string;
  digest: string;
  environment: string;
  document: Uint8Array;
  created_at: Date;
}

export interface FencesTable {
  tenant: Tenant;
  unit: string;
  fence: bigint;
}

export interface EngineStatesTable {
  tenant: Tenant;
  unit: string;
  environment: string;
  last_version: bigint;
  current_version: bigint | null;
  lock_id: string | null;
  lock_info: string | null;
  lock_holder: string | null;
  lock_fence: bigint | null;
}

export interface EngineStateVersionsTable {
  tenant: Tenant;
  unit: string;
  version: bigint;
  status: string;
  serial: bigint;
  lineage: string;
  digest: string;
  size: bigint;
  blob: string;
  writer: string;
  by_attempt: boolean;
  fence: bigint;
  created_at: Date;
}

export interface AppliedTable {
  tenant: Tenant;
  unit: string;
  environment: string;
  fence: bigint;
  pointer: Uint8Array;
  updated_at: Date;
}

export interface UnitOutputsTable {
  tenant: Tenant;
  unit: string;
  name: string;
  sensitive: boolean;
  value: Uint8Array;
  fence: bigint;
  updated_at: Date;
}

export interface DriftTable {
  tenant: Tenant;
  unit: string;
  environment: string;
  run: string;
  changes: Uint8Array;
  detected_at: Date;
}
