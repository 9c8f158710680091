import { createHash } from "node:crypto";
import { sql } from "kysely";
import type { OwnedDatabase, Tx } from "./database.ts";
import { MigrationChangedError, SchemaNewerError } from "./database-errors.ts";
import { checkService, serviceRole, systemRole } from "./scope.ts";

/** One step forward of a schema. Released steps are never edited, and there is no way back. */
export interface Migration {
  /** File name without extension, `0001-runs`: the order is that of the list. */
  readonly name: string;
  /** Its statements, one per string, every name with its schema. Pure: the checksum is over what it returns. */
  readonly up: () => readonly string[];
  /**
   * Programs that do not know this migration cannot work with what it leaves (a column dropped, a meaning changed). Such
   * a step follows, in a later release, the one that added what replaces it: a rolling upgrade runs both side by side.
   */
  readonly breaksOlder?: true;
}

/** A service's schema is named like the service, and so are its roles. */
export interface ServiceSchema {
  readonly service: string;
  readonly migrations: readonly Migration[];
}

/**
 * Brings each service's schema up to date, one transaction per service. Safe to repeat and to run from several processes
 * at once: the others wait, then find nothing to do.
 *
 * @throws {SchemaNewerError} when a newer version of the program has been here, and changed what this one relies on.
 * @throws {MigrationChangedError} when an applied migration has been edited.
 */
export async function migrate(database: OwnedDatabase, schemas: readonly ServiceSchema[]): Promise<void> {
  for (const schema of schemas) {
    checkService(schema.service);
    await database.asOwner(`${schema.service}.migrate`, (tx) => migrateSchema(tx, schema));
  }
}

async function migrateSchema(tx: Tx<unknown>, { service, migrations }: ServiceSchema): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtextextended('xcloudflow.migrate', 0))`.execute(tx);
  await prepareSchema(tx, service);
  const applied = await readApplied(tx, service);
  checkApplied(service, applied, migrations);
  for (const [index, migration] of migrations.entries()) {
    if (index < applied.length) continue;
    const statements = migration.up();
    for (const statement of statements) await sql.raw(statement).execute(tx);
    await sql`insert into ${table(service)} (position, name, checksum, breaks_older) values (${index + 1}, ${migration.name}, ${checksumOf(statements)}, ${migration.breaksOlder === true})`.execute(
      tx,
    );
  }
}

async function prepareSchema(tx: Tx<unknown>, service: string): Promise<void> {
  const known =
    await sql`select 1 from pg_catalog.pg_tables where schemaname = ${service} and tablename = 'migrations'`.execute(
      tx,
    );
  if (known.rows.length > 0) return;
  const roles = [serviceRole(service), systemRole(service)];
  for (const role of roles) for (const statement of roleStatements(role)) await sql.raw(statement).execute(tx);
  for (const statement of schemaStatements(service, roles.join(", "))) await sql.raw(statement).execute(tx);
}

/** Roles belong to the whole server, so another database's migration may make the same one at the same moment. */
function roleStatements(role: string): readonly string[] {
  return [
    `do $$ begin
       if not exists (select from pg_catalog.pg_roles where rolname = '${role}') then
         create role ${role} nologin noinherit;
       end if;
     exception when duplicate_object or unique_violation then null;
     end $$`,
    `do $$ begin
       if not (select rolsuper from pg_catalog.pg_roles where rolname = current_user) then
         execute format('grant ${role} to %I', current_user);
       end if;
     end $$`,
  ];
}

function schemaStatements(service: string, roles: string): readonly string[] {
  return [
    `create schema if not exists ${service}`,
    `create table ${service}.migrations (position integer primary key, name text not null, checksum text not null, breaks_older boolean not null, applied_at timestamptz not null default now())`,
    `grant usage on schema ${service} to ${roles}`,
    `grant select on ${service}.migrations to ${roles}`,
    `alter default privileges in schema ${service} grant select, insert, update, delete on tables to ${roles}`,
    `alter default privileges in schema ${service} grant usage, select on sequences to ${roles}`,
  ];
}

interface Applied {
  readonly name: string;
  readonly checksum: string;
  readonly breaks_older: boolean;
}

async function readApplied(tx: Tx<unknown>, service: string): Promise<readonly Applied[]> {
  const { rows } =
    await sql<Applied>`select name, checksum, breaks_older from ${table(service)} order by position`.execute(tx);
  return rows;
}

function checkApplied(service: string, applied: readonly Applied[], migrations: readonly Migration[]): void {
  for (const [index, { name, checksum, breaks_older }] of applied.entries()) {
    const migration = migrations[index];
    if (migration === undefined && !breaks_older) continue;
    if (migration === undefined) throw new SchemaNewerError(service, name);
    if (migration.name !== name || checksumOf(migration.up()) !== checksum)
      throw new MigrationChangedError(service, name);
  }
}

function checksumOf(statements: readonly string[]): string {
  return createHash("sha256").update(JSON.stringify(statements)).digest("hex");
}

function table(service: string) {
  return sql.table(`${service}.migrations`);
}
