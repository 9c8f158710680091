/** Where a verb's words go. Passed in, so that verbs run the same in tests and in a process. */
export interface Terminal {
  /** The verb's result: text, or exactly one JSON document with `-o json`. */
  out(text: string): void;
  /** Progress, warnings and errors. */
  err(text: string): void;
  /** Rewrites the last lines of standard error; only where a person watches. */
  readonly live: boolean;
  readonly columns: number;
  readonly color: boolean;
}

export function printJson(terminal: Terminal, value: unknown): void {
  terminal.out(`${JSON.stringify(value, bigintAsNumber, 2)}\n`);
}

function bigintAsNumber(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? Number(value) : value;
}
