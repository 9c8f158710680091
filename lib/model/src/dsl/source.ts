import { findPlace, type Place, type Placement } from "./placement.ts";

export type Path = readonly PropertyKey[];

/** A place in a file, counted from 1. */
export interface Position {
  readonly line: number;
  readonly col: number;
}

/**
 * A file's text, and positions in it by document and path, from the same parser's events as the values. Lines are
 * counted when somebody asks.
 */
export class Source {
  readonly file: string;
  readonly text: string;
  #lineStarts: readonly number[] | undefined;
  #documents: readonly Placement[] = [];

  constructor(file: string, text: string) {
    this.file = file;
    this.text = text;
  }

  /** Says where things are; until then, and in a file that does not parse, everything is at its beginning. */
  place(documents: readonly Placement[]): void {
    this.#documents = documents;
  }

  /** Position of an offset into the text. */
  at(offset: number): Position {
    if (this.#lineStarts === undefined && this.text.length < SHORT_TEXT) return countLines(this.text, offset);
    this.#lineStarts ??= lineStarts(this.text);
    const starts = this.#lineStarts;
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, col: offset - (starts[low] ?? 0) + 1 };
  }

  /** Position of the key that names what `path` leads to, else of the value, else of the nearest thing around it. */
  keyAt(document: number, path: Path): Position {
    const node = this.#find(document, path);
    return this.at(node.key ?? node.start ?? 0);
  }

  /** Position of the value `path` leads to, else of its key, else of the nearest thing around it. */
  valueAt(document: number, path: Path): Position {
    const node = this.#find(document, path);
    return this.at(node.start ?? node.key ?? 0);
  }

  /** Position inside the text at `path`, where the file spells it as it is; else of its beginning. */
  insideAt(document: number, path: Path, text: string, offset: number): Position {
    const start = this.#find(document, path).start;
    if (start === undefined) return this.valueAt(document, path);
    if (this.text.startsWith(text, start)) return this.at(start + offset);
    return this.text.startsWith(text, start + 1) ? this.at(start + 1 + offset) : this.at(start);
  }

  /** `file:line:col` of the key at `path`. */
  reference(document: number, path: Path): string {
    const { line, col } = this.keyAt(document, path);
    return `${this.file}:${line}:${col}`;
  }

  #find(document: number, path: Path): Place {
    const placement = this.#documents[document];
    return placement === undefined ? { key: undefined, start: undefined } : findPlace(placement, this.text, path);
  }
}

/** Up to here, counting the lines before an offset is cheaper than keeping where each begins. */
const SHORT_TEXT = 4_096;

const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;

function countLines(text: string, offset: number): Position {
  let line = 1;
  let start = 0;
  for (let at = nextLine(text, 0); at <= offset; at = nextLine(text, at)) {
    line += 1;
    start = at;
  }
  return { line, col: offset - start + 1 };
}

function lineStarts(text: string): number[] {
  const starts = [0];
  for (let at = nextLine(text, 0); at < Number.POSITIVE_INFINITY; at = nextLine(text, at)) starts.push(at);
  return starts;
}

/** Where the line after the one at `from` begins; infinity behind the last. YAML's line breaks: LF, CR LF, CR. */
function nextLine(text: string, from: number): number {
  for (let at = from; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === LINE_FEED) return at + 1;
    if (code === CARRIAGE_RETURN) return text.charCodeAt(at + 1) === LINE_FEED ? at + 2 : at + 1;
  }
  return Number.POSITIVE_INFINITY;
}
