/** A top-level block or attribute of an HCL file, with the attributes and blocks directly inside it. */
export interface HclBody {
  /** Attribute name → the text of its expression. */
  readonly attributes: ReadonlyMap<string, string>;
  readonly blocks: readonly HclBlock[];
}

export interface HclBlock {
  readonly type: string;
  readonly labels: readonly string[];
  readonly body: HclBody;
  /** The block's own source text, from its type to its closing brace. */
  readonly text: string;
  /** From 1. */
  readonly line: number;
}

const IDENTIFIER = /[\p{ID_Start}_][\p{ID_Continue}-]*/uy;
const HEREDOC = /<<-?([\p{ID_Start}_][\p{ID_Continue}-]*)[^\n]*\n/uy;
const BLANK = /[ \t\r]+/y;
const COMMENT = /(?:#|\/\/)[^\n]*|\/\*[\s\S]*?(?:\*\/|$)/y;
const DEEPEST = 200;

/**
 * Finds block headers and attributes of HCL's native syntax without evaluating anything: enough to know what a module
 * declares. Never throws: where the text is not HCL it skips to the next line, and terraform itself says what is wrong.
 */
export function scanHcl(text: string): HclBody {
  return new HclScanner(text).body(0);
}

class HclScanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  body(depth: number): HclBody {
    const attributes = new Map<string, string>();
    const blocks: HclBlock[] = [];
    for (;;) {
      this.#skipSpace();
      if (this.#at >= this.#text.length) break;
      if (this.#peek() === "}") {
        if (depth > 0) break;
        this.#at += 1;
        continue;
      }
      const start = this.#at;
      const name = this.#match(IDENTIFIER);
      if (name === undefined) {
        this.#skipExpression();
        if (this.#at === start) this.#at += 1;
        continue;
      }
      this.#match(BLANK);
      if (this.#peek() === "=" && this.#text[this.#at + 1] !== "=") {
        this.#at += 1;
        const from = this.#at;
        this.#skipExpression();
        attributes.set(name, this.#text.slice(from, this.#at).trim());
        continue;
      }
      const block = this.#block(name, start, depth);
      if (block !== undefined) blocks.push(block);
    }
    return { attributes, blocks };
  }

  #block(type: string, start: number, depth: number): HclBlock | undefined {
    const labels: string[] = [];
    for (;;) {
      this.#match(BLANK);
      if (this.#peek() === '"') {
        const from = this.#at + 1;
        this.#skipString();
        labels.push(this.#text.slice(from, this.#at - 1));
        continue;
      }
      const label = this.#match(IDENTIFIER);
      if (label === undefined) break;
      labels.push(label);
    }
    if (this.#peek() !== "{" || depth >= DEEPEST) {
      this.#skipExpression();
      return undefined;
    }
    this.#at += 1;
    const body = this.body(depth + 1);
    if (this.#peek() === "}") this.#at += 1;
    const line = countLines(this.#text, start);
    return { type, labels, body, text: this.#text.slice(start, this.#at), line };
  }

  /** To the end of the line, or of whatever brackets were opened on it; stops before a brace that closes the body. */
  #skipExpression(): void {
    let open = 0;
    while (this.#at < this.#text.length) {
      const char = this.#peek();
      if (char === "\n" && open === 0) return;
      if (this.#match(COMMENT) !== undefined || this.#skipHeredoc()) {
        if (open === 0 && this.#text[this.#at - 1] === "\n") return;
        continue;
      }
      if (char === '"') {
        this.#skipString();
        continue;
      }
      if (char === "{" || char === "(" || char === "[") open += 1;
      if (char === "}" || char === ")" || char === "]") {
        if (open === 0) return;
        open -= 1;
      }
      this.#at += 1;
    }
  }

  /** A quoted string with its templates; ends at the end of the line when nobody closed it. */
  #skipString(): void {
    this.#at += 1;
    while (this.#at < this.#text.length) {
      const char = this.#peek();
      const next = this.#text[this.#at + 1];
      if (char === "\\") this.#at += 2;
      else if ((char === "$" || char === "%") && next === char && this.#text[this.#at + 2] === "{") this.#at += 3;
      else if ((char === "$" || char === "%") && next === "{") this.#skipTemplate();
      else {
        this.#at += 1;
        if (char === '"' || char === "\n") return;
      }
    }
  }

  #skipTemplate(): void {
    let open = 0;
    while (this.#at < this.#text.length) {
      const char = this.#peek();
      if (char === '"') {
        this.#skipString();
        continue;
      }
      this.#at += 1;
      if (char === "{") open += 1;
      if (char === "}") {
        open -= 1;
        if (open === 0) return;
      }
    }
  }

  #skipHeredoc(): boolean {
    if (this.#peek() !== "<") return false;
    HEREDOC.lastIndex = this.#at;
    const start = HEREDOC.exec(this.#text);
    const mark = start?.[1];
    if (start === null || mark === undefined) return false;
    this.#at += start[0].length;
    for (;;) {
      const end = this.#text.indexOf("\n", this.#at);
      const line = this.#text.slice(this.#at, end === -1 ? undefined : end);
      // The line feed after the mark stays: it ends the expression that the heredoc belongs to.
      if (line.trim() === mark) this.#at += line.length;
      else if (end === -1) this.#at = this.#text.length;
      else {
        this.#at = end + 1;
        continue;
      }
      return true;
    }
  }

  #skipSpace(): void {
    for (;;) {
      const char = this.#peek();
      if (char === " " || char === "\t" || char === "\n" || char === "\r" || char === "\uFEFF") this.#at += 1;
      else if (this.#match(COMMENT) === undefined) return;
    }
  }

  #peek(): string | undefined {
    return this.#text[this.#at];
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }
}

function countLines(text: string, end: number): number {
  let lines = 1;
  for (let at = text.indexOf("\n"); at !== -1 && at < end; at = text.indexOf("\n", at + 1)) lines += 1;
  return lines;
}

/** The value of an expression that is one string without templates; undefined for any other. */
export function literalString(expression: string | undefined): string | undefined {
  if (expression === undefined || !/^"(?:[^"\\$%\n]|\\.|[$%](?!\{))*"$/.test(expression)) return undefined;
  try {
    const value: unknown = JSON.parse(expression);
    return typeof value === "string" ? value : undefined;
  } catch {
    return undefined;
  }
}
