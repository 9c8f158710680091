import { rmSync } from "node:fs";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe } from "node:test";
import { createSystemClock } from "@xcloudflow/chassis/clock";
import { createSystemRandom } from "@xcloudflow/chassis/random";
import type { OwnedDatabase } from "@xcloudflow/database/database";
import { migrate, type ServiceSchema } from "@xcloudflow/database/migrate";
import { createPgliteDatabase } from "@xcloudflow/database/pglite-database";
import { createPostgresUrl, openPostgres } from "./postgres.ts";

export interface DatabaseFixture {
  readonly kind: "pglite" | "postgres";
  /** The suite's database, migrated; inside tests and hooks only. */
  database(): OwnedDatabase;
}

/**
 * Declares `suite` once for each database: `describe("<name> on PGlite")` and `describe("<name> on PostgreSQL")`, each
 * with a fresh database that has `schemas`. PostgreSQL is a real server with its own connections, and the user is not a
 * superuser; what only fails with real concurrency fails there.
 */
export function forEachDatabase(
  name: string,
  schemas: readonly ServiceSchema[],
  suite: (fixture: DatabaseFixture) => void,
): void {
  declare(`${name} on PGlite`, "pglite", () => openFreshPglite(schemas), suite);
  declare(`${name} on PostgreSQL`, "postgres", async () => openPostgres(await createPostgresUrl(schemas)), suite);
}

function declare(
  name: string,
  kind: DatabaseFixture["kind"],
  open: () => Promise<OwnedDatabase>,
  suite: (fixture: DatabaseFixture) => void,
): void {
  describe(name, () => {
    let opened: OwnedDatabase | undefined;
    before(async () => {
      opened = await open();
    });
    after(async () => {
      await opened?.close();
    });
    suite({
      kind,
      database() {
        if (opened === undefined) throw new Error("the database is open inside tests and hooks only");
        return opened;
      },
    });
  });
}

let initialised: Promise<string> | undefined;

/** A PGlite of its own in a temporary folder; the slow making of its files is done once per process, then copied. */
export async function openFreshPglite(schemas: readonly ServiceSchema[]): Promise<OwnedDatabase> {
  const directory = await mkdtemp(join(tmpdir(), "xcf-pglite-"));
  initialised ??= initialise();
  await cp(await initialised, join(directory, "db"), { recursive: true });
  const database = await openPglite(join(directory, "db"));
  await migrate(database, schemas);
  return {
    ...database,
    async close() {
      await database.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

export async function openPglite(directory: string): Promise<OwnedDatabase> {
  return await createPgliteDatabase({ directory, clock: createSystemClock(), random: createSystemRandom() });
}

async function initialise(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "xcf-pglite-blank-"));
  process.once("exit", () => rmSync(directory, { recursive: true, force: true }));
  const database = await openPglite(join(directory, "db"));
  await database.close();
  return join(directory, "db");
}
