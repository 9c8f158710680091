import { execFile } from "node:child_process";
import { z } from "zod";
import { pgliteEngineFlags, pgliteSettings } from "./pglite-settings.ts";

/** PGlite's module, directory and settings come as arguments; what goes wrong goes to standard error as JSON. */
const SCRIPT = `
const [module, dataDir, startParams] = process.argv.slice(1);
try {
  const { PGlite } = await import(module);
  const pglite = await PGlite.create({ dataDir, startParams: JSON.parse(startParams) });
  await pglite.close();
} catch (error) {
  const { code, errno, message } = error;
  process.stderr.write(JSON.stringify({ code, errno, message: message ?? String(error) }));
  process.exit(1);
}`;

const failureSchema = z.object({ code: z.string().optional(), errno: z.number().optional(), message: z.string() });

/**
 * Makes a new database's files in a process of its own: PGlite's initdb runs several WebAssembly machines one after the
 * other and takes more than 1 GB until they are collected (measured), the database afterwards a quarter of that.
 *
 * @throws an error with PGlite's `code` or `errno`.
 */
export async function makePgliteFiles(directory: string): Promise<void> {
  const module = import.meta.resolve("@electric-sql/pglite");
  const settings = JSON.stringify(pgliteSettings.startParams);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  execFile(
    process.execPath,
    [...pgliteEngineFlags, "--input-type=module", "--eval", SCRIPT, module, directory, settings],
    { env: {} },
    (error, _output, words) => {
      if (error === null) resolve();
      else reject(describeFailure(words, error));
    },
  );
  await promise;
}

function describeFailure(words: string, cause: Error): Error {
  const parsed = failureSchema.safeParse(parseOrNothing(words));
  if (!parsed.success) return new Error(`initdb failed: ${words.trim().slice(-2000)}`, { cause });
  return Object.assign(new Error(parsed.data.message, { cause }), { code: parsed.data.code, errno: parsed.data.errno });
}

function parseOrNothing(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
