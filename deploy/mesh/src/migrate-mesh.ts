import type { Clock } from "@xcloudflow/chassis/clock";
import type { Logger } from "@xcloudflow/chassis/logger";
import type { Random } from "@xcloudflow/chassis/random";
import { migrate } from "@xcloudflow/database/migrate";
import { createPostgresDatabase } from "@xcloudflow/database/postgres-database";
import { SCHEMAS } from "@xcloudflow/embedded/schemas";
import { keepLoginUsers } from "./login-users.ts";
import { DATABASE_SERVICES, type DatabaseService } from "./mesh-plan.ts";

export interface MigrateMeshOptions {
  /** Of the owner: may make roles, and schemas in this database. */
  readonly url: string;
  /** Services whose users are made here; the others are the operator's. */
  readonly passwords: Readonly<Partial<Record<DatabaseService, string>>>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** Brings every service's schema up to date with the owner's rights, which no service has. Safe to repeat. */
export async function migrateMesh({ url, passwords, clock, random, logger }: MigrateMeshOptions): Promise<void> {
  const database = await createPostgresDatabase({
    url,
    clock,
    random,
    onConnectionLost: (error) => logger.warn("a database connection was lost", { error: error.message }),
  });
  try {
    await migrate(database, SCHEMAS);
  } finally {
    await database.close();
  }
  await keepLoginUsers(url, passwords, DATABASE_SERVICES);
}
