import type { KeyObject } from "node:crypto";
import type { ConnectRouter } from "@connectrpc/connect";
import type { Caller } from "@xcloudflow/chassis/caller";
import type { Clock } from "@xcloudflow/chassis/clock";
import type { Ids } from "@xcloudflow/chassis/ids";
import { createKeyring, type KeyEncryption, type Keyring } from "@xcloudflow/chassis/keyring";
import type { Logger } from "@xcloudflow/chassis/logger";
import type { Database } from "@xcloudflow/database/database";
import type { StateTables } from "../migrations/state-tables.ts";
import { sweepStagedBlobs } from "./blob-store.ts";
import { createDataKeyStore } from "./data-key-store.ts";
import type { StateContext } from "./state-context.ts";
import { stateRoutes } from "./state-rpc.ts";
import { createTerraformBackend, type HttpHandler } from "./terraform-backend.ts";

export interface StateServiceOptions {
  /** Migrated with `stateSchema`. */
  readonly database: Database;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly logger: Logger;
  /** Protects the tenants' data keys; kept outside the database. */
  readonly keyEncryption: KeyEncryption;
  /** Public key of the orchestrator, which signs attempts. */
  readonly attemptKey: KeyObject;
  /** Who an API token stands for; undefined when it is unknown, expired or revoked. */
  readonly authenticate: (token: string) => Promise<Caller | undefined>;
  /** No state or artefact may be larger; default 256 MiB. */
  readonly maxUploadBytes?: number;
}

export interface StateServiceInstance {
  /** Registers `StateService`. */
  readonly routes: (router: ConnectRouter) => void;
  /** Terraform's state backend, for every path below `/terraform/`; answers 404 to others. */
  readonly httpHandler: HttpHandler;
  /** For key rotation and whoever else derives keys of a tenant. */
  readonly keyring: Keyring;
  /** Stops background work; requests under way end by themselves. */
  close(): Promise<void>;
}

const UPLOAD_BYTES = 256 * 1024 * 1024;
const SWEEP_MS = 60 * 60_000;

export function createStateService(options: StateServiceOptions): StateServiceInstance {
  const database = options.database.withTables<StateTables>();
  const { clock, ids, logger, attemptKey, authenticate, keyEncryption } = options;
  const keyring = createKeyring({ keyEncryption, store: createDataKeyStore(database) });
  const context: StateContext = {
    database,
    keyring,
    clock,
    ids,
    logger,
    attemptKey,
    maxUploadBytes: options.maxUploadBytes ?? UPLOAD_BYTES,
  };

  let sweeping: Promise<void> = Promise.resolve();
  let cancel = clock.schedule(SWEEP_MS, sweep);
  function sweep(): void {
    sweeping = sweepStagedBlobs(context).then(
      (swept) => {
        if (swept > 0) logger.info("unfinished uploads swept", { swept });
      },
      (error: unknown) => logger.error("sweeping unfinished uploads failed", { error }),
    );
    cancel = clock.schedule(SWEEP_MS, sweep);
  }

  return {
    routes: stateRoutes(context),
    httpHandler: createTerraformBackend({ context, authenticate }),
    keyring,
    async close() {
      cancel();
      await sweeping;
    },
  };
}
