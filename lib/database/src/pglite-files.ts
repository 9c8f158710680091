import { setFlagsFromString } from "node:v8";
import { PGlite } from "@electric-sql/pglite";
import { pgliteEngineFlags, pgliteSettings } from "./pglite-settings.ts";

/**
 * Makes a new database's files in this process. PGlite's initdb runs several WebAssembly machines one after the other and
 * takes more than 1 GB until they are collected (measured), four times what the database takes afterwards: a process that
 * goes on should have another one do it.
 */
export async function makePgliteFiles(directory: string): Promise<void> {
  for (const flag of pgliteEngineFlags) setFlagsFromString(flag);
  const pglite = await PGlite.create({ dataDir: directory, startParams: pgliteSettings.startParams });
  await pglite.close();
}
