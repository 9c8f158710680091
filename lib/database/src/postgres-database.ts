import { Kysely, PostgresDialect } from "kysely";
import pg from "pg";
import type { OwnedDatabase } from "./database.ts";
import { DatabaseUnavailableError } from "./database-errors.ts";
import { createKyselyDatabase, type DatabaseSurroundings } from "./kysely-database.ts";
import { explainPostgresError } from "./postgres-problem.ts";
import { arrayElements, valueParsers } from "./value-parsers.ts";

export interface PostgresDatabaseOptions extends DatabaseSurroundings {
  /** `postgres://user:password@host:port/database?sslmode=…` */
  readonly url: string;
  /** Connections this process may hold at most. */
  readonly connections?: number;
  /** Told when an idle connection is lost; the next transaction opens another. */
  readonly onConnectionLost: (error: Error) => void;
}

const OLDEST_VERSION = 150000;
const CONNECTIONS = 10;
const CONNECT_TIMEOUT_MS = 10_000;
/** A transaction has only `tx`, so one that idles this long is a bug that holds locks. */
const IDLE_IN_TRANSACTION_MS = 30_000;
const STATEMENT_MS = 60_000;

/**
 * Connects to a PostgreSQL of the mesh, version 15 or newer. The user needs no privilege but membership in the services'
 * roles (and CREATEROLE and CREATE on the database to migrate).
 *
 * @throws {DatabaseUnavailableError} when it cannot be reached, refuses us, or is too old.
 */
export async function createPostgresDatabase(options: PostgresDatabaseOptions): Promise<OwnedDatabase> {
  const where = placeOf(options.url);
  const pool = new pg.Pool({
    connectionString: options.url,
    max: options.connections ?? CONNECTIONS,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS,
    statement_timeout: STATEMENT_MS,
    application_name: "xcloudflow",
    types: { getTypeParser },
  });
  pool.on("error", options.onConnectionLost);
  const database = createKyselyDatabase(
    {
      kysely: new Kysely<unknown>({ dialect: new PostgresDialect({ pool }) }),
      admit: (run) => run(),
      explain: (error, outcome) => explainPostgresError(error, where, outcome),
      close: () => pool.end(),
    },
    options,
  );
  try {
    await checkVersion(pool, where);
  } catch (error) {
    await database.close();
    throw explainPostgresError(error, where, "rolledBack") ?? error;
  }
  return database;
}

async function checkVersion(pool: pg.Pool, where: string): Promise<void> {
  const { rows } = await pool.query<{ version: string }>("select current_setting('server_version_num') as version");
  const version = Number(rows[0]?.version);
  if (version >= OLDEST_VERSION) return;
  throw new DatabaseUnavailableError("wrongVersion", {
    where,
    what: `PostgreSQL ${Math.floor(version / 10000)} is too old`,
    hint: "use PostgreSQL 15 or newer",
  });
}

function getTypeParser(type: number, format?: "text" | "binary"): (text: string) => unknown {
  if (format === "binary") return pg.types.getTypeParser(type, "binary");
  const own = valueParsers[type];
  if (own) return own;
  const element = valueParsers[arrayElements[type] ?? 0];
  if (element) return (text) => parseElements(parseTextArray(text), element);
  return pg.types.getTypeParser(type, "text");
}

/** The manual's `text[]`; its number is missing from the driver's list of names. */
const TEXT_ARRAY_TYPE: number = 1009;
const parseTextArray: (text: string) => unknown = pg.types.getTypeParser(TEXT_ARRAY_TYPE, "text");

function parseElements(value: unknown, parse: (text: string) => unknown): unknown {
  if (Array.isArray(value)) return value.map((item) => parseElements(item, parse));
  return typeof value === "string" ? parse(value) : value;
}

/** The URL without its password, for messages. */
function placeOf(url: string): string {
  if (!URL.canParse(url)) return "the database URL";
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname}`;
}
