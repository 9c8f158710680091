import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { GitFailedError } from "./git-errors.ts";
import { type GitSettings, spawnGit } from "./git-process-cli.ts";
import { objectId } from "./object-id.ts";

/** Reads the contents of objects by their ids. */
export interface BlobReader {
  /** @throws {GitFailedError} when one is missing or not a blob. */
  read(oids: readonly string[]): Promise<Map<string, Buffer>>;
  close(): void;
}

interface Waiting {
  readonly oid: string;
  readonly resolve: (content: Buffer) => void;
  readonly reject: (error: Error) => void;
}

/** A resident `git cat-file --batch`: started at the first read, started again when it has died. */
export function createBlobReader(settings: GitSettings, directory: string): BlobReader {
  let running: BatchProcess | undefined;
  return {
    async read(oids) {
      const unique = [...new Set(oids.map(objectId))];
      if (unique.length === 0) return new Map();
      if (running === undefined || running.ended)
        running = new BatchProcess(spawnGit(settings, directory, ["cat-file", "--batch"]));
      const contents = await running.ask(unique);
      return new Map(unique.map((oid, index) => [oid, contents[index] ?? Buffer.alloc(0)]));
    },
    close() {
      running?.end();
    },
  };
}

/** Questions go in as lines, answers come out in the same order: `<id> blob <size>`, the bytes, a newline. */
class BatchProcess {
  ended = false;
  readonly #child: ChildProcessWithoutNullStreams;
  #waiting: Waiting[] = [];
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

  ask(oids: readonly string[]): Promise<Buffer[]> {
    const answers = oids.map(
      (oid) => new Promise<Buffer>((resolve, reject) => this.#waiting.push({ oid, resolve, reject })),
    );
    this.#child.stdin.write(`${oids.join("\n")}\n`);
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
    for (let newline = data.indexOf(10); newline !== -1; newline = data.indexOf(10)) {
      const current = this.#waiting[this.#next];
      const [oid, type, length] = data.toString("latin1", 0, newline).split(" ");
      if (current === undefined || type !== "blob" || oid !== current.oid) {
        const what = type === "missing" ? "missing" : `a ${type}`;
        this.#fail(
          new GitFailedError(
            current === undefined ? "cat-file answered without being asked" : `object ${current.oid} is ${what}`,
          ),
        );
        this.#child.kill("SIGKILL");
        return;
      }
      const end = newline + 1 + Number(length);
      this.#expected = data.length > end ? 0 : end + 1;
      if (this.#expected > 0) break;
      this.#next += 1;
      current.resolve(data.subarray(newline + 1, end));
      data = data.subarray(end + 1);
    }
    this.#chunks = data.length === 0 ? [] : [data];
    this.#buffered = data.length;
    if (this.#next < this.#waiting.length) return;
    this.#waiting = [];
    this.#next = 0;
  }

  #fail(error: Error): void {
    this.ended = true;
    const pending = this.#waiting.slice(this.#next);
    this.#waiting = [];
    this.#chunks = [];
    for (const { reject } of pending) reject(error);
  }
}
