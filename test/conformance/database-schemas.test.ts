import assert from "node:assert/strict";
import { test } from "node:test";
import { findUnprotectedRelations } from "@xcloudflow/database/row-security";
import { SCHEMAS } from "@xcloudflow/embedded/schemas";
import { sql } from "kysely";
import { forEachDatabase } from "../support/databases.ts";

const services = SCHEMAS.map(({ service }) => service);

forEachDatabase("the services' schemas", SCHEMAS, ({ database }) => {
  test("protect every table by tenant", async () => {
    const { rows } = await database().asOwner("schemas.count", (tx) =>
      sql<{
        tables: number;
      }>`select count(*)::int as tables from pg_tables where schemaname = any (${services})`.execute(tx),
    );
    assert.ok((rows[0]?.tables ?? 0) > services.length * 2, "the check would pass on nothing");
    assert.deepEqual(await findUnprotectedRelations(database(), services), []);
  });

  test("hold no function that runs as its owner, and grant nothing to everybody", async () => {
    const { rows } = await database().asOwner("schemas.look", (tx) =>
      sql`select p.oid::regproc::text as name from pg_proc p join pg_namespace n on n.oid = p.pronamespace
          where n.nspname = any (${services}) and p.prosecdef
          union all
          select table_schema || '.' || table_name from information_schema.table_privileges
          where table_schema = any (${services}) and grantee = 'PUBLIC'`.execute(tx),
    );
    assert.deepEqual(rows, []);
  });
});
