import { spawn } from "node:child_process";
import type { Person } from "./person.ts";

/** How a command ended, with everything it printed on either stream. */
export interface Ended {
  readonly code: number;
  readonly text: string;
}

/** The shop's folder and the two programs the story needs. */
export interface Shell {
  readonly folder: string;
  xcf(person: Person, words: readonly string[]): Promise<Ended>;
  git(person: Person, words: readonly string[]): Promise<Ended>;
}

const LONGEST_MS = 120_000;

/**
 * @param launcher path of `bin/xcf.js`
 * @param identify the variables that tell the control plane who somebody is
 */
export function createShell(
  folder: string,
  launcher: string,
  environment: Readonly<Record<string, string | undefined>>,
  identify: (person: Person) => Readonly<Record<string, string>>,
): Shell {
  const clean = Object.fromEntries(Object.entries(environment).filter(([name]) => !/^(XCF_(?!TOOL_)|GIT_)/.test(name)));
  const run = (program: string, words: readonly string[], extra: Readonly<Record<string, string>>): Promise<Ended> =>
    new Promise((resolve, reject) => {
      const child = spawn(program, words, {
        cwd: folder,
        env: { ...clean, ...extra },
        stdio: ["ignore", "pipe", "pipe"],
        timeout: LONGEST_MS,
      });
      const chunks: Buffer[] = [];
      for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      child.once("error", reject);
      child.once("close", (code, signal) => {
        const text = Buffer.concat(chunks).toString();
        if (code === null) reject(new Error(`${program} ${words.join(" ")} was ended by ${signal}\n${text}`));
        else resolve({ code, text });
      });
    });
  return {
    folder,
    xcf: (person, words) => run(process.execPath, [launcher, ...words], identify(person)),
    git: ({ name, email }, words) =>
      run("git", ["-c", "commit.gpgsign=false", "-c", "core.hooksPath=/dev/null", ...words], {
        GIT_CONFIG_NOSYSTEM: "1",
        GIT_AUTHOR_NAME: name,
        GIT_AUTHOR_EMAIL: email,
        GIT_COMMITTER_NAME: name,
        GIT_COMMITTER_EMAIL: email,
      }),
  };
}
