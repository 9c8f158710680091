import { sql } from "kysely";
import type { OwnedDatabase } from "./database.ts";

/** A relation that would let one tenant see another's rows, and why. */
export interface UnprotectedRelation {
  readonly relation: string;
  readonly reason: string;
}

/**
 * Looks through the services' schemas for tables without the tenant's column, without forced row-level security or
 * without a policy, for policies that let everybody in, and for views, which read as their owner. Only each schema's own
 * list of migrations is exempt. Empty is good.
 */
export async function findUnprotectedRelations(
  database: OwnedDatabase,
  services: readonly string[],
): Promise<readonly UnprotectedRelation[]> {
  return await database.asOwner("database.find-unprotected-relations", async (tx) => {
    const { rows } = await sql<UnprotectedRelation>`
      select relation, reason from (
        select n.nspname || '.' || c.relname as relation, case
          when c.relkind in ('v', 'm') then 'a view reads as its owner'
          when not exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant' and a.attnotnull and not a.attisdropped)
            then 'no tenant column'
          when not (c.relrowsecurity and c.relforcerowsecurity) then 'row-level security is not in force'
          when not exists (select from pg_policy p where p.polrelid = c.oid) then 'no policy'
          when exists (select from pg_policy p where p.polrelid = c.oid and 0 = any (p.polroles)) then 'a policy is for everybody'
        end as reason
        from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where n.nspname = any (${services}) and c.relkind in ('r', 'p', 'v', 'm') and c.relname <> 'migrations'
      ) relations where reason is not null order by relation`.execute(tx);
    return rows;
  });
}
