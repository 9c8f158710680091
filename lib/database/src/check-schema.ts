import { sql } from "kysely";
import type { Database } from "./database.ts";
import { SchemaNewerError, SchemaOlderError } from "./database-errors.ts";
import type { ServiceSchema } from "./migrate.ts";
import { systemScope } from "./scope.ts";

/**
 * Whether a schema is one that this program can work with: every migration it knows has been applied, and what a newer
 * program has added since is compatible with it. For processes that may not migrate themselves.
 *
 * @throws {SchemaOlderError} @throws {SchemaNewerError} @throws {DatabaseUnavailableError}
 */
export async function checkSchema(database: Database, { service, migrations }: ServiceSchema): Promise<void> {
  const applied = await database.transaction(systemScope(service, "check-schema"), async (tx) => {
    const { rows: found } = await sql<{ there: boolean }>`
      select to_regclass(${`${service}.migrations`}) is not null as there`.execute(tx);
    if (found[0]?.there !== true) return [];
    const { rows } = await sql<{ name: string; breaks_older: boolean }>`
      select name, breaks_older from ${sql.table(`${service}.migrations`)} order by position`.execute(tx);
    return rows;
  });
  const missing = migrations[applied.length];
  if (missing !== undefined) throw new SchemaOlderError(service, missing.name);
  const breaking = applied.slice(migrations.length).find((migration) => migration.breaks_older);
  if (breaking !== undefined) throw new SchemaNewerError(service, breaking.name);
}
