import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import type { Person } from "./person.ts";
import type { Keep, Screen } from "./screen.ts";
import type { Ended, Shell } from "./shell-cli.ts";

/** Thrown when the product does not do what the story says: the demo is a test as well. */
export class StoryBrokenError extends Error {
  constructor(typed: string, what: string, output: string) {
    super(`\`${typed}\` ${what}; it printed:\n${output}`);
    this.name = "StoryBrokenError";
  }
}

/** What a command must do, and which of its lines are worth a place on the screen. */
export interface Expectation {
  readonly code: number;
  /** Said about the exit code on the screen. */
  readonly meaning?: string;
  readonly says?: readonly (string | RegExp)[];
  readonly never?: readonly (string | RegExp)[];
  readonly keep?: readonly Keep[];
}

/** A command that is still running. */
export interface Running {
  ended(): Promise<string>;
}

export type Step = (stage: Stage) => Promise<void>;

const PATIENCE_MS = 30_000;
const BETWEEN_LOOKS_MS = 100;

/** The id of the ChangeSet that `xcf plan` printed. */
export function changeSetOf(text: string): string {
  const id = /^ChangeSet (cs_\w+)/m.exec(text)?.[1];
  if (id === undefined) throw new StoryBrokenError("xcf plan", "named no ChangeSet", text);
  return id;
}

/** Where the story is played: people type commands, edit files and commit; every command is held to its expectation. */
export interface Stage {
  readonly folder: string;
  /** Names that later steps come back to. */
  readonly recall: Map<string, string>;
  /** Words that `audit verify` needs where the key is not this account's. */
  readonly verifyWith: string;
  /** Makes the folder a repository with a first commit. */
  begin(person: Person): Promise<void>;
  tell(title: string, prose: string): void;
  xcf(person: Person, words: string, expected: Expectation): Promise<string>;
  /** Starts a command and comes back at once; `ended` holds it to its expectation. */
  start(person: Person, words: string, expected: Expectation): Running;
  /** Runs without a place on the screen. */
  look(person: Person, words: string): Promise<string>;
  /** Looks again until it holds, and breaks the story when it does not in time. */
  until(what: string, holds: () => Promise<boolean>): Promise<void>;
  git(person: Person, ...words: string[]): Promise<void>;
  /** Puts a command on the screen that the story does by other means. */
  type(person: Person, typed: string): void;
  /** Replaces text of a file and commits that. */
  edit(person: Person, file: string, from: string, to: string, message: string): Promise<void>;
}

export function createStage(shell: Shell, screen: Screen, verifyWith: readonly string[]): Stage {
  const show = (typed: string, { code, text }: Ended, expected: Expectation): string => {
    screen.answer(text, expected.keep ?? []);
    check(typed, { code, text }, expected);
    if (code !== 0) screen.note(`exit ${code}${expected.meaning === undefined ? "" : `: ${expected.meaning}`}`);
    return text;
  };
  const git = async (person: Person, words: readonly string[]): Promise<void> => {
    const { code, text } = await shell.git(person, words);
    if (code !== 0) throw new StoryBrokenError(`git ${words.join(" ")}`, `exited with ${code}`, text);
  };
  return {
    folder: shell.folder,
    recall: new Map(),
    verifyWith: verifyWith.map((word) => ` ${word}`).join(""),
    async begin(person) {
      await git(person, ["init", "-q", "-b", "main"]);
      await git(person, ["config", "user.name", person.name]);
      await git(person, ["config", "user.email", person.email]);
      await git(person, ["add", "."]);
      await git(person, ["commit", "-qm", "A shop"]);
    },
    tell: screen.heading,
    async xcf(person, words, expected) {
      screen.command(person.name, `xcf ${words}`);
      return show(`xcf ${words}`, await shell.xcf(person, words.split(" ")), expected);
    },
    start(person, words, expected) {
      screen.command(person.name, `xcf ${words} &`);
      const running = shell.xcf(person, words.split(" "));
      // Looked at in `ended`; until then a failure must not count as unhandled.
      running.catch(() => undefined);
      return {
        async ended() {
          const ended = await running;
          screen.note(`${person.name}'s command has ended.`);
          return show(`xcf ${words}`, ended, expected);
        },
      };
    },
    async look(person, words) {
      return (await shell.xcf(person, words.split(" "))).text;
    },
    async until(what, holdsNow) {
      const deadline = performance.now() + PATIENCE_MS;
      while (!(await holdsNow())) {
        if (performance.now() > deadline) throw new StoryBrokenError("waiting", `did not see that ${what}`, "");
        await setTimeout(BETWEEN_LOOKS_MS);
      }
    },
    async git(person, ...words) {
      screen.command(person.name, `git ${words.join(" ")}`);
      await git(person, words);
    },
    type: (person, typed) => screen.command(person.name, typed),
    async edit(person, file, from, to, message) {
      const path = join(shell.folder, file);
      const before = await readFile(path, "utf8");
      if (!before.includes(from))
        throw new StoryBrokenError(`edit ${file}`, `finds no ${JSON.stringify(from)}`, before);
      await writeFile(
        path,
        before.replace(from, () => to),
      );
      screen.command(person.name, `git commit -am "${message}"`, `${file}: ${describeEdit(from, to)}`);
      await git(person, ["commit", "-qam", message]);
    },
  };
}

function check(typed: string, { code, text }: Ended, { code: wanted, says = [], never = [] }: Expectation): void {
  if (code !== wanted) throw new StoryBrokenError(typed, `exited with ${code} instead of ${wanted}`, text);
  for (const part of says)
    if (!holds(text, part)) throw new StoryBrokenError(typed, `did not say ${String(part)}`, text);
  for (const part of never) if (holds(text, part)) throw new StoryBrokenError(typed, `said ${String(part)}`, text);
}

function holds(text: string, part: string | RegExp): boolean {
  return typeof part === "string" ? text.includes(part) : part.test(text);
}

function describeEdit(from: string, to: string): string {
  return to.startsWith(from) ? `adds ${oneLine(to.slice(from.length))}` : `${oneLine(from)} → ${oneLine(to)}`;
}

function oneLine(text: string): string {
  return text.trim().replaceAll(/\s*\n\s*/g, " ⏎ ");
}
