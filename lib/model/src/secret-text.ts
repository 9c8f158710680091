import { inspect } from "node:util";

const HIDDEN = "[secret]";

/**
 * A secret on its way through memory. Nothing that prints values by accident shows it: string conversion, template
 * literals, JSON, `console.log`, `util.inspect` and `structuredClone` all give `[secret]` or nothing. The only way to
 * the text is `reveal()`, so that a reviewer finds every use by searching for it.
 */
export class SecretText {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** The secret itself. Call it where it is handed over (an environment, a 0600 file), never before. */
  reveal(): string {
    return this.#text;
  }

  /** Length in UTF-16 code units: enough to tell an empty secret without seeing it. */
  get length(): number {
    return this.#text.length;
  }

  toString(): string {
    return HIDDEN;
  }

  toJSON(): string {
    return HIDDEN;
  }

  [Symbol.toPrimitive](): string {
    return HIDDEN;
  }

  [inspect.custom](): string {
    return HIDDEN;
  }
}
