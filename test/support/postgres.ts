import { createHash, randomUUID } from "node:crypto";
import { createSystemClock } from "@xcloudflow/chassis/clock";
import { createSystemRandom } from "@xcloudflow/chassis/random";
import type { OwnedDatabase } from "@xcloudflow/database/database";
import { migrate, type ServiceSchema } from "@xcloudflow/database/migrate";
import { createPostgresDatabase } from "@xcloudflow/database/postgres-database";
import pg from "pg";
import { type PostgresServer, startPostgres } from "./postgres-cli.ts";

/** Logs in, migrates and owns like a production user: no superuser, may make roles and schemas. */
const OWNER = "xcf_owner";

let durability: "none" | "full" = "none";
let server: Promise<PostgresServer> | undefined;
const templates = new Map<string, Promise<string>>();

/** From now on this process's server survives a power cut: for benchmarks, before anything else asks for the server. */
export function demandDurability(): void {
  durability = "full";
}

/** URL of a new database of its own, already migrated to these schemas; cloned from a template made once per process. */
export async function createPostgresUrl(
  schemas: readonly ServiceSchema[],
  user: "owner" | "superuser" = "owner",
): Promise<string> {
  const running = await postgresServer();
  const template = await migratedTemplate(running, schemas);
  const name = `t_${randomUUID().replaceAll("-", "")}`;
  await runAsSuperuser(running, `create database ${name} template ${template} owner ${OWNER}`);
  return running.url(name, user === "owner" ? OWNER : undefined);
}

export async function openPostgres(url: string): Promise<OwnedDatabase> {
  return await createPostgresDatabase({
    url,
    clock: createSystemClock(),
    random: createSystemRandom(),
    onConnectionLost: rethrow,
  });
}

async function postgresServer(): Promise<PostgresServer> {
  server ??= startPostgres(durability).then(async (started) => {
    await runAsSuperuser(started, `create role ${OWNER} login createrole createdb`);
    return started;
  });
  return await server;
}

async function migratedTemplate(running: PostgresServer, schemas: readonly ServiceSchema[]): Promise<string> {
  const shape = schemas.map(({ service, migrations }) => [service, migrations.map(({ name, up }) => [name, up()])]);
  const name = `template_${createHash("sha256").update(JSON.stringify(shape)).digest("hex").slice(0, 16)}`;
  const known = templates.get(name);
  if (known) return await known;
  const made = makeTemplate(running, name, schemas);
  templates.set(name, made);
  return await made;
}

async function makeTemplate(running: PostgresServer, name: string, schemas: readonly ServiceSchema[]): Promise<string> {
  await runAsSuperuser(running, `create database ${name} owner ${OWNER}`);
  const database = await openPostgres(running.url(name, OWNER));
  await migrate(database, schemas);
  await database.close();
  return name;
}

async function runAsSuperuser(running: PostgresServer, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: running.url("postgres") });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

function rethrow(error: Error): never {
  throw error;
}
