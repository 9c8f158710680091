import { serviceRole, systemRole } from "./scope.ts";

/**
 * Statements that make a table of one service: the tenant's column first, row-level security in force even for the
 * table's owner, the service's role confined to the tenant the transaction named, the system role to none. `table` is
 * `schema.name`; `columns` the rest of its body, whose keys should begin with `tenant`.
 */
export function tenantTable(table: string, columns: string): readonly string[] {
  const service = table.slice(0, table.indexOf("."));
  return [
    `create table ${table} (tenant text not null default current_setting('xcf.tenant', true) check (tenant not in ('', '*')), ${columns})`,
    `alter table ${table} enable row level security`,
    `alter table ${table} force row level security`,
    `create policy own_tenant on ${table} to ${serviceRole(service)} using (${IS_OWN}) with check (${IS_OWN})`,
    `create policy every_tenant on ${table} to ${systemRole(service)} using (true) with check (true)`,
  ];
}

const IS_OWN = "tenant = current_setting('xcf.tenant', true)";
