import { mkdir, readFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { DatabaseUnavailableError } from "./database-errors.ts";
import { explainLackOfSpace } from "./disk-space.ts";
import { makePgliteFiles } from "./pglite-files.ts";
import { explainPgliteError } from "./pglite-problem.ts";

/** The major version of the PostgreSQL that PGlite is built from; its files are readable by that version alone. */
const MAJOR_VERSION = "18";

/** Makes a new database's files in a directory that is not there yet. */
export type MakeFiles = (directory: string) => Promise<void>;

/**
 * Makes the database's files unless they are there. They are made beside their place and moved there when complete, so
 * that a process killed in the middle leaves nothing half made.
 *
 * @throws {DatabaseUnavailableError} when that fails or the files are of another version.
 */
export async function preparePgliteDirectory(directory: string, initdb: MakeFiles = makePgliteFiles): Promise<void> {
  const version = await readVersion(directory);
  if (version === MAJOR_VERSION) return await checkSpace(directory, "open");
  if (version !== undefined) {
    throw new DatabaseUnavailableError(/^\d+$/.test(version) ? "wrongVersion" : "corrupt", {
      where: directory,
      what: `the database's files are of PostgreSQL ${version}, this XCloudFlow reads ${MAJOR_VERSION}`,
      hint: "use the XCloudFlow that made them, or move the folder away to start anew",
    });
  }
  await makeFiles(directory, initdb);
}

async function readVersion(directory: string): Promise<string | undefined> {
  try {
    return (await readFile(join(directory, "PG_VERSION"), "utf8")).trim();
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw explainPgliteError(error, directory, "rolledBack", "opening") ?? error;
  }
}

async function makeFiles(directory: string, initdb: MakeFiles): Promise<void> {
  const draft = `${directory}.new`;
  try {
    await mkdir(dirname(directory), { recursive: true });
    await checkSpace(dirname(directory), "change");
    await rm(draft, { recursive: true, force: true });
    await initdb(draft);
    await rename(draft, directory);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    throw explainPgliteError(error, directory, "rolledBack", "opening") ?? error;
  }
}

async function checkSpace(directory: string, purpose: "change" | "open"): Promise<void> {
  const lack = await explainLackOfSpace(directory, purpose);
  if (lack) throw lack;
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
