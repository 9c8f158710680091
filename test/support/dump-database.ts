import type { OwnedDatabase } from "@xcloudflow/database/database";
import { sql } from "kysely";

/**
 * Every row of the services' tables as text, with binary columns both as bytes read as Latin-1 and as hexadecimal digits,
 * so that a scan for a canary finds it in whatever form it is stored.
 */
export async function dumpDatabase(database: OwnedDatabase, services: readonly string[]): Promise<string> {
  const parts: string[] = [];
  for (const service of services) {
    await database.asOwner("test.dump-database", async (tx) => {
      const { rows: tables } = await sql<{
        name: string;
      }>`select table_name as name from information_schema.tables where table_schema = ${service} and table_name <> 'migrations' order by 1`.execute(
        tx,
      );
      await sql`select set_config('role', ${`xcf_${service}_system`}, true), set_config('xcf.tenant', '*', true)`.execute(
        tx,
      );
      for (const { name } of tables) {
        const { rows } = await sql<Record<string, unknown>>`select * from ${sql.table(`${service}.${name}`)}`.execute(
          tx,
        );
        for (const row of rows)
          for (const [column, value] of Object.entries(row))
            parts.push(`${service}.${name}.${column}: ${textOf(value)}`);
      }
    });
  }
  return parts.join("\n");
}

function textOf(value: unknown): string {
  if (value instanceof Uint8Array)
    return `${Buffer.from(value).toString("latin1")} ${Buffer.from(value).toString("hex")}`;
  return typeof value === "string" ? value : String(value);
}
