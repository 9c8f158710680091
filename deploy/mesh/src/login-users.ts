import { serviceRole, systemRole } from "@xcloudflow/database/scope";
import pg from "pg";
import type { DatabaseService } from "./mesh-plan.ts";

/** The user a service logs in as: it may switch to the service's two roles and can do nothing by itself. */
export function loginUser(service: DatabaseService): string {
  return `xcf_${service}_login`;
}

/**
 * Makes each service's user, or gives it its password again. Run after the migrations, which make the roles.
 *
 * @param url of the owner, who may make roles.
 */
export async function keepLoginUsers(
  url: string,
  passwords: Readonly<Partial<Record<DatabaseService, string>>>,
  services: readonly DatabaseService[],
): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    for (const service of services) {
      const password = passwords[service];
      if (password !== undefined) for (const statement of statements(service, password)) await client.query(statement);
    }
  } finally {
    await client.end();
  }
}

function statements(service: DatabaseService, password: string): string[] {
  const user = pg.escapeIdentifier(loginUser(service));
  const roles = [serviceRole(service), systemRole(service)].map((role) => pg.escapeIdentifier(role)).join(", ");
  return [
    `do $$ begin
       if not exists (select from pg_catalog.pg_roles where rolname = ${pg.escapeLiteral(loginUser(service))}) then
         create role ${user} login noinherit;
       end if;
     end $$`,
    `alter role ${user} with login noinherit password ${pg.escapeLiteral(password)}`,
    `grant ${roles} to ${user}`,
  ];
}
