import { execFile } from "node:child_process";
import { userInfo } from "node:os";
import { promisify } from "node:util";
import { CodedError } from "@xcloudflow/model/coded-error";

const run = promisify(execFile);

/** Thrown when git refuses what `xcf init` asks of it; its own words are kept. */
export class GitRefusedError extends CodedError {
  constructor(directory: string, words: readonly string[], cause: unknown) {
    const said =
      cause instanceof Error && "stderr" in cause ? String(cause.stderr).trim().split("\n").at(-1) : String(cause);
    super("GIT_REFUSED", "internal", {
      where: directory,
      what: `git ${words[0] ?? ""} failed: ${said}`,
      hint: "the files are written; commit them yourself",
      cause,
    });
  }
}

/** Makes a repository where there is none. */
export async function ensureRepository(directory: string): Promise<void> {
  const inside = await run("git", ["rev-parse", "--is-inside-work-tree"], { cwd: directory }).then(
    () => true,
    () => false,
  );
  if (!inside) await git(directory, ["init", "--quiet", "--initial-branch=main"]);
}

/** Git needs a name to commit; where nobody has given one, this repository gets one from the machine's user. */
export async function ensureIdentity(directory: string): Promise<{ readonly email: string; readonly made: boolean }> {
  const known = await run("git", ["config", "--get", "user.email"], { cwd: directory }).then(
    ({ stdout }) => stdout.trim(),
    () => "",
  );
  if (known !== "") return { email: known, made: false };
  const { username } = userInfo();
  const email = `${username}@localhost`;
  await git(directory, ["config", "user.email", email]);
  await git(directory, ["config", "user.name", username]);
  return { email, made: true };
}

export async function commitFiles(directory: string, paths: readonly string[], message: string): Promise<void> {
  await git(directory, ["add", "--", ...paths]);
  await git(directory, ["commit", "--quiet", "--no-verify", "-m", message, "--", ...paths]);
}

async function git(directory: string, words: readonly string[]): Promise<void> {
  try {
    await run("git", [...words], { cwd: directory });
  } catch (cause) {
    throw new GitRefusedError(directory, words, cause);
  }
}
