import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** A Git repository made for one test. */
export interface GitFixture {
  readonly directory: string;
  /** Writes, changes or (null) removes files, and commits them. Answers the commit. */
  commit(files: Readonly<Record<string, string | null>>, author?: string, message?: string): string;
  /** Writes files without committing. */
  write(files: Readonly<Record<string, string | null>>): void;
  git(...args: string[]): string;
  [Symbol.dispose](): void;
}

export function makeRepository(): GitFixture {
  const directory = mkdtempSync(join(tmpdir(), "xcf-planner-"));
  const environment = {
    PATH: process.env.PATH,
    HOME: directory,
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_CONFIG_GLOBAL: "/dev/null",
  };
  const run = (args: readonly string[], extra: Record<string, string> = {}): string =>
    execFileSync("git", args, {
      cwd: directory,
      env: { ...environment, ...extra },
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    }).trim();
  run(["init", "--quiet", "--initial-branch=main"]);
  const write = (files: Readonly<Record<string, string | null>>): void => {
    for (const [path, text] of Object.entries(files)) {
      const absolute = join(directory, path);
      if (text === null) rmSync(absolute, { recursive: true });
      else {
        mkdirSync(dirname(absolute), { recursive: true });
        writeFileSync(absolute, text);
      }
    }
  };
  return {
    directory,
    write,
    git: (...args) => run(args),
    commit(files, author = "ada@example.com", message = "change") {
      write(files);
      run(["add", "--all"]);
      const who = {
        GIT_AUTHOR_NAME: author,
        GIT_AUTHOR_EMAIL: author,
        GIT_COMMITTER_NAME: author,
        GIT_COMMITTER_EMAIL: author,
      };
      run(["commit", "--quiet", "--allow-empty", "-m", message], who);
      return run(["rev-parse", "HEAD"]);
    },
    [Symbol.dispose]() {
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
