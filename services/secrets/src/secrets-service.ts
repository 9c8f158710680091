import type { ConnectRouter } from "@connectrpc/connect";
import type { Database } from "@xcloudflow/database/database";
import type { SecretsTables } from "../migrations/secrets-tables.ts";
import type { SecretsContext } from "./secrets-context.ts";
import { secretsRoutes } from "./secrets-rpc.ts";

export interface SecretsServiceOptions extends Omit<SecretsContext, "database"> {
  /** Migrated with `secretsSchema`. */
  readonly database: Database;
}

export interface SecretsServiceInstance {
  /** Registers `SecretsService`. */
  readonly routes: (router: ConnectRouter) => void;
}

/** Composes the secrets service. It keeps nothing open: no value outlives the call it was read for. */
export function createSecretsService(options: SecretsServiceOptions): SecretsServiceInstance {
  const context: SecretsContext = { ...options, database: options.database.withTables<SecretsTables>() };
  return { routes: secretsRoutes(context) };
}
