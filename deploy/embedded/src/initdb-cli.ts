import { execFile } from "node:child_process";
import { makePgliteFiles } from "@xcloudflow/database/pglite-files";
import { z } from "zod";

/** A program that calls `answerInitdb` with the directory it is given as its last argument. */
export interface InitdbCommand {
  readonly executable: string;
  readonly arguments: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
}

const failureSchema = z.object({ code: z.string().optional(), errno: z.number().optional(), message: z.string() });

/**
 * Makes a new database's files in a process of its own, which takes their making's gigabyte with it.
 *
 * @throws an error with PGlite's `code` or `errno`.
 */
export async function runInitdb(command: InitdbCommand, directory: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  execFile(
    command.executable,
    [...command.arguments, directory],
    { env: { ...command.environment } },
    (error, _output, words) => {
      if (error === null) resolve();
      else reject(describeFailure(words, error));
    },
  );
  await promise;
}

/** The other side: makes the files, and says what went wrong as JSON that `runInitdb` reads on standard error. */
export async function answerInitdb(directory: string, writeError: (text: string) => void): Promise<boolean> {
  try {
    await makePgliteFiles(directory);
    return true;
  } catch (error) {
    const told = failureSchema.safeParse(error);
    writeError(JSON.stringify(told.success ? told.data : { message: String(error) }));
    return false;
  }
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
