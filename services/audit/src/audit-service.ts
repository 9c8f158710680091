import { join } from "node:path";
import type { ConnectRouter } from "@connectrpc/connect";
import type { Bus } from "@xcloudflow/chassis/bus";
import type { Clock } from "@xcloudflow/chassis/clock";
import type { Ids } from "@xcloudflow/chassis/ids";
import { loadOrCreateKeyPair } from "@xcloudflow/chassis/keys";
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
  /** The user's configuration folder: `audit.pem` signs checkpoints, `checkpoints/` keeps the newest of each log. */
  readonly configFolder: string;
  /** Default `xcloudflow.local`. */
  readonly origin?: string;
}

export interface AuditServiceInstance {
  /** Registers `AuditService`. */
  readonly routes: (router: ConnectRouter) => void;
  /** Waits for what is being written. Flush the relays before, so that nothing waits on the bus. */
  close(): Promise<void>;
}

/**
 * Listens from the moment it resolves; start the relays afterwards.
 *
 * @throws {KeyUnusableError} when the signing key cannot be read or made.
 */
export async function createAuditService(options: AuditServiceOptions): Promise<AuditServiceInstance> {
  const { database, bus, clock, ids, logger, configFolder, origin = "xcloudflow.local" } = options;
  const context: AuditContext = {
    database: database.withTables<AuditTables>(),
    clock,
    ids,
    logger,
    signingKey: await loadOrCreateKeyPair(configFolder, "audit"),
    origin,
    witness: createFileCheckpointWitness(join(configFolder, "checkpoints")),
  };
  const listener = await listenForEvents(context, bus);
  return { routes: auditRoutes(context), close: () => listener.close() };
}
