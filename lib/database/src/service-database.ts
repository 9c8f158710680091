import type { MeshMember } from "@xcloudflow/chassis/mesh-member";
import { z } from "zod";
import { checkSchema } from "./check-schema.ts";
import type { OwnedDatabase } from "./database.ts";
import type { ServiceSchema } from "./migrate.ts";
import { createPostgresDatabase } from "./postgres-database.ts";

/** Settings of a mesh process with tables. */
export const databaseSettings = {
  XCF_DATABASE_URL: z.string().regex(/^postgres(ql)?:\/\/\S+$/, "must be postgres://user:password@host:port/database"),
  XCF_DATABASE_CONNECTIONS: z.coerce.number().int().min(1).max(200).default(10),
};
export type DatabaseSettings = z.infer<z.ZodObject<typeof databaseSettings>>;

/**
 * Opens a service's database as its own, least privileged user, once its schema is there.
 *
 * @throws {DatabaseUnavailableError} @throws {SchemaOlderError} @throws {SchemaNewerError} all of which waiting may mend.
 */
export async function openServiceDatabase(
  { clock, random, logger }: MeshMember,
  settings: DatabaseSettings,
  schema: ServiceSchema,
): Promise<OwnedDatabase> {
  const database = await createPostgresDatabase({
    url: settings.XCF_DATABASE_URL,
    connections: settings.XCF_DATABASE_CONNECTIONS,
    clock,
    random,
    onConnectionLost: (error) => logger.warn("a database connection was lost", { error: error.message }),
  });
  try {
    await checkSchema(database, schema);
  } catch (error) {
    await database.close();
    throw error;
  }
  return database;
}
