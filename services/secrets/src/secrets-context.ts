import type { KeyObject } from "node:crypto";
import type { Clock } from "@xcloudflow/chassis/clock";
import type { Ids } from "@xcloudflow/chassis/ids";
import type { Logger } from "@xcloudflow/chassis/logger";
import type { Database } from "@xcloudflow/database/database";
import type { SecretsTables } from "../migrations/secrets-tables.ts";
import type { ReadVariable } from "./env-backend.ts";
import type { SopsPlaces } from "./sops-cli.ts";

/** A file of a repository as the governance commit has it; undefined when it is not there. */
export type ReadRepositoryFile = (file: {
  readonly tenant: string;
  readonly repository: string;
  /** Relative, without detours. */
  readonly path: string;
}) => Promise<Uint8Array | undefined>;

/** What every part of the service works with. */
export interface SecretsContext {
  readonly database: Database<SecretsTables>;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly logger: Logger;
  /** Public key of the orchestrator, which signs attempts. */
  readonly attemptKey: KeyObject;
  readonly readVariable: ReadVariable;
  readonly readFile: ReadRepositoryFile;
  readonly sops: SopsPlaces;
  /** The age key of SOPS backends that name none. */
  readonly sopsAgeKeyFile: string | undefined;
  /** Where scratch folders are made. */
  readonly folder: string;
}
