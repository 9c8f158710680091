import type { Clock } from "@xcloudflow/chassis/clock";
import type { Ids } from "@xcloudflow/chassis/ids";
import type { KeyPair } from "@xcloudflow/chassis/keys";
import type { Logger } from "@xcloudflow/chassis/logger";
import type { Database } from "@xcloudflow/database/database";
import type { AuditTables } from "../migrations/audit-tables.ts";
import type { CheckpointWitness } from "./checkpoint-witness.ts";

/** What every part of the service works with. */
export interface AuditContext {
  readonly database: Database<AuditTables>;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly logger: Logger;
  /** Signs checkpoints; kept outside the database. */
  readonly signingKey: KeyPair;
  /** Begins the name of every log: `<origin>/<tenant>/<log id>`. A host name one owns, or `xcloudflow.local`. */
  readonly origin: string;
  readonly witness: CheckpointWitness;
}
