import { execFile } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);
const PATIENCE_MS = 20_000;

/** The first version number a program prints about itself; undefined when it does not run or prints none. */
export async function askVersion(path: string, words: readonly string[]): Promise<string | undefined> {
  try {
    const { stdout } = await run(path, [...words], {
      timeout: PATIENCE_MS,
      env: { PATH: "/usr/bin:/bin", CHECKPOINT_DISABLE: "1" },
    });
    return /\d+\.\d+\.\d+/.exec(stdout)?.[0];
  } catch {
    return undefined;
  }
}
