import type { ConnectRouter } from "@connectrpc/connect";
import type { Bus } from "@xcloudflow/chassis/bus";
import type { Clock } from "@xcloudflow/chassis/clock";
import type { Ids } from "@xcloudflow/chassis/ids";
import type { KeyPair } from "@xcloudflow/chassis/keys";
import type { Logger } from "@xcloudflow/chassis/logger";
import type { Database } from "@xcloudflow/database/database";
import type { AuditTables } from "../migrations/audit-tables.ts";
import type { AuditContext } from "./audit-context.ts";
import { listenForEvents } from "./audit-events.ts";
import { auditRoutes } from "./audit-rpc.ts";
import { createFileCheckpointWitness } from "./file-checkpoint-witness.ts";

export interface AuditServiceOptions {
  /** Migrated with `auditSchema`. */
  readonly database: Database;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly logger: Logger;
  /** Signs checkpoints; kept outside the database. */
  readonly signingKey: KeyPair;
  /** Keeps the newest checkpoint of each log, outside the database. */
  readonly checkpointFolder: string;
  /** Default `xcloudflow.local`. */
  readonly origin?: string;
}

export interface AuditServiceInstance {
  /** Registers `AuditService`. */
  readonly routes: (router: ConnectRouter) => void;
  /** Waits for what is being written. Flush the relays before, so that nothing waits on the bus. */
  close(): Promise<void>;
}

/** Listens from the moment it resolves; start the relays afterwards. */
export async function createAuditService(options: AuditServiceOptions): Promise<AuditServiceInstance> {
  const { database, bus, clock, ids, logger, signingKey, checkpointFolder, origin = "xcloudflow.local" } = options;
  const context: AuditContext = {
    database: database.withTables<AuditTables>(),
    clock,
    ids,
    logger,
    signingKey,
    origin,
    witness: createFileCheckpointWitness(checkpointFolder),
  };
  const listener = await listenForEvents(context, bus);
  return { routes: auditRoutes(context), close: () => listener.close() };
}
