import type { KeyObject } from "node:crypto";
import type { Clock } from "@xcloudflow/chassis/clock";
import type { Ids } from "@xcloudflow/chassis/ids";
import type { Keyring } from "@xcloudflow/chassis/keyring";
import type { Logger } from "@xcloudflow/chassis/logger";
import type { Database } from "@xcloudflow/database/database";
import type { StateTables } from "../migrations/state-tables.ts";

/** What every part of the service works with. */
export interface StateContext {
  readonly database: Database<StateTables>;
  readonly keyring: Keyring;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly logger: Logger;
  /** Public key of the orchestrator: what it signed is an attempt. */
  readonly attemptKey: KeyObject;
  /** No upload may be larger. */
  readonly maxUploadBytes: number;
}
