import { setFlagsFromString } from "node:v8";
import { PGlite } from "@electric-sql/pglite";
import { Kysely, PostgresAdapter, PostgresIntrospector, PostgresQueryCompiler } from "kysely";
import type { OwnedDatabase } from "./database.ts";
import { createSpaceGuard } from "./disk-space.ts";
import { createKyselyDatabase, type DatabaseSurroundings } from "./kysely-database.ts";
import { type MakeFiles, preparePgliteDirectory } from "./pglite-directory.ts";
import { createPgliteDriver } from "./pglite-driver.ts";
import { explainPgliteError } from "./pglite-problem.ts";
import { pgliteEngineFlags, pgliteSettings } from "./pglite-settings.ts";
import { createStatisticsSchedule, gatherStatistics } from "./pglite-statistics.ts";
import { valueParsers } from "./value-parsers.ts";

export interface PgliteDatabaseOptions extends DatabaseSurroundings {
  /** Where its files are; the caller must own it alone (two processes lose acknowledged commits). Absent: in memory, for tests. */
  readonly directory?: string;
  /** Who makes the files of a new one; default: this process, which then holds more than 1 GB for a while. */
  readonly initdb?: MakeFiles;
}

/**
 * Opens, or makes on first use, the database of the embedded mode.
 *
 * @throws {DatabaseUnavailableError} when the directory cannot be written, holds another version's files, or is damaged.
 */
export async function createPgliteDatabase({
  directory,
  initdb,
  ...surroundings
}: PgliteDatabaseOptions): Promise<OwnedDatabase> {
  if (directory !== undefined) await preparePgliteDirectory(directory, initdb);
  const where = directory ?? "memory";
  const pglite = await open(directory, where);
  let stopped: Error | undefined;
  const admit = createQueue();
  const statistics = createStatisticsSchedule();
  return createKyselyDatabase(
    {
      kysely: new Kysely<unknown>({
        dialect: {
          createAdapter: () => new PostgresAdapter(),
          createDriver: () => createPgliteDriver(pglite),
          createIntrospector: (kysely) => new PostgresIntrospector(kysely),
          createQueryCompiler: () => new PostgresQueryCompiler(),
        },
      }),
      async admit(run) {
        return await admit(async () => {
          if (stopped) throw stopped;
          try {
            return await run();
          } finally {
            // After those who wait already. It is advice to the planner: whoever comes next meets what is wrong by himself.
            if (statistics.isDue()) admit(() => gatherStatistics(pglite)).catch(() => undefined);
          }
        });
      },
      explain(error, outcome) {
        const explained = explainPgliteError(error, where, outcome);
        // After a panic the WebAssembly machine cannot go on; its files are fine and recover when opened again.
        if (explained?.problem === "stopped") stopped = explained;
        return explained;
      },
      ...(directory === undefined ? {} : { refuseWrites: createSpaceGuard(directory, surroundings.clock) }),
      close: () => admit(() => (stopped ? Promise.resolve() : pglite.close())),
    },
    surroundings,
  );
}

async function open(directory: string | undefined, where: string): Promise<PGlite> {
  for (const flag of pgliteEngineFlags) setFlagsFromString(flag);
  try {
    return await PGlite.create({ ...pgliteSettings, parsers: { ...valueParsers }, dataDir: directory ?? "memory://" });
  } catch (error) {
    throw explainPgliteError(error, where, "rolledBack", "opening") ?? error;
  }
}

/** One after the other, in order: PGlite has one connection, and kysely's driver for it does not queue by itself. */
function createQueue(): <T>(run: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (run) => {
    const turn = last.then(run);
    last = turn.catch(() => undefined);
    return turn;
  };
}
