import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { GitFailedError } from "./git-errors.ts";
import { type GitSettings, spawnGit } from "./git-process-cli.ts";

/** An object as `git cat-file` prints it. */
export interface GitObject {
  readonly oid: string;
  readonly type: string;
  readonly content: Buffer;
}

/** Reads objects by their names. */
export interface ObjectReader {
  /** In the order of the names; undefined for what is not there, or means more than one object. */
  read(names: readonly string[]): Promise<(GitObject | undefined)[]>;
  close(): void;
}

/**
 * A resident `git cat-file --batch`: started at the first read, started again when it has died. A name goes in as one
 * line, so that it can be no option; whoever calls sees to it that it has no line break.
 */
export function createObjectReader(settings: GitSettings, directory: string): ObjectReader {
  let running: BatchProcess | undefined;
  return {
    async read(names) {
      if (names.length === 0) return [];
      if (running === undefined || running.ended) {
        running = new BatchProcess(spawnGit(settings, directory, ["cat-file", "--batch"]));
      }
      return running.ask(names);
    },
    close() {
      running?.end();
    },
  };
}

interface Question {
  readonly resolve: (object: GitObject | undefined) => void;
  readonly reject: (error: Error) => void;
}

const FOUND = /^([0-9a-f]{40}|[0-9a-f]{64}) ([a-z]+) (\d+)$/;

/** Questions go in as lines; answers come out in their order: `<id> <type> <size>`, the bytes, a newline. */
class BatchProcess {
  ended = false;
  readonly #child: ChildProcessWithoutNullStreams;
  #questions: Question[] = [];
  #next = 0;
  #chunks: Buffer[] = [];
  #buffered = 0;
  /** Bytes needed before the next answer can be taken. */
  #expected = 0;

  constructor(child: ChildProcessWithoutNullStreams) {
    this.#child = child;
    child.stdout.on("data", (chunk: Buffer) => {
      this.#chunks.push(chunk);
      this.#buffered += chunk.length;
      if (this.#buffered >= this.#expected) this.#takeAnswers();
    });
    child.stderr.resume();
    // A write to a process that has ended is answered by its end.
    child.stdin.on("error", () => undefined);
    child.on("error", (cause) => this.#fail(new GitFailedError("cat-file cannot be started", cause)));
    child.on("close", () => this.#fail(new GitFailedError("cat-file ended early")));
  }

  ask(names: readonly string[]): Promise<(GitObject | undefined)[]> {
    const answers = names.map(
      () => new Promise<GitObject | undefined>((resolve, reject) => this.#questions.push({ resolve, reject })),
    );
    this.#child.stdin.write(`${names.join("\n")}\n`);
    return Promise.all(answers);
  }

  end(): void {
    this.#child.stdin.end();
    this.#child.kill("SIGTERM");
  }

  #takeAnswers(): void {
    let [data] = this.#chunks;
    if (data === undefined) return;
    if (this.#chunks.length > 1) data = Buffer.concat(this.#chunks);
    let at = 0;
    for (let newline = data.indexOf(10); newline !== -1; newline = data.indexOf(10, at)) {
      const question = this.#questions[this.#next];
      if (question === undefined) {
        this.#fail(new GitFailedError("cat-file answered without being asked"));
        return;
      }
      const [, oid, type, length] = FOUND.exec(data.toString("latin1", at, newline)) ?? [];
      const size = oid === undefined ? -1 : Number(length);
      const end = newline + 1 + size;
      if (data.length < end + 1) {
        this.#expected = end + 1 - at;
        break;
      }
      this.#expected = 0;
      this.#next += 1;
      at = end + 1;
      const found = oid !== undefined && type !== undefined;
      question.resolve(found ? { oid, type, content: data.subarray(newline + 1, end) } : undefined);
    }
    this.#chunks = at === data.length ? [] : [data.subarray(at)];
    this.#buffered = data.length - at;
    if (this.#next < this.#questions.length) return;
    this.#questions = [];
    this.#next = 0;
  }

  #fail(error: Error): undefined {
    this.ended = true;
    const pending = this.#questions.slice(this.#next);
    this.#questions = [];
    this.#chunks = [];
    this.#child.kill("SIGKILL");
    for (const { reject } of pending) reject(error);
  }
}
