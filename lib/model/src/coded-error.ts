/**
 * What kind of problem an error is, independent of any transport. The chassis maps a category to a Connect code
 * (`lib/chassis/src/connect-errors.ts`) and the CLI maps it to an exit code (`cli/src/exit-code.ts`); nobody else does.
 */
export const ERROR_CATEGORIES = [
  "invalid",
  "notFound",
  "alreadyExists",
  "unauthenticated",
  "forbidden",
  "denied",
  "waiting",
  "stale",
  "conflict",
  "exhausted",
  "unavailable",
  "timeout",
  "canceled",
  "dataLoss",
  "internal",
] as const;
export type ErrorCategory = (typeof ERROR_CATEGORIES)[number];

/** The three things a person needs from an error, plus what a program needs to tell errors apart. */
export interface ErrorParts {
  /** One sentence: what is wrong. */
  readonly what: string;
  /** The file:line:col, unit address, URL or process it concerns. */
  readonly where?: string | undefined;
  /** One sentence: what to do about it. */
  readonly hint?: string | undefined;
  readonly cause?: unknown;
}

/**
 * Base of every error XCloudFlow raises on purpose. `code` is stable and upper-snake (`STATE_LOCK_HELD`), one per problem;
 * subclasses are named `<Noun><Problem>Error`, keep typed fields, and are documented with "Thrown when …".
 */
export class CodedError extends Error {
  readonly code: string;
  readonly category: ErrorCategory;
  readonly what: string;
  readonly where: string | undefined;
  readonly hint: string | undefined;

  constructor(code: string, category: ErrorCategory, parts: ErrorParts) {
    super(describe(parts), parts.cause === undefined ? undefined : { cause: parts.cause });
    this.name = new.target.name;
    this.code = code;
    this.category = category;
    this.what = parts.what;
    this.where = parts.where;
    this.hint = parts.hint;
  }
}

function describe({ what, where, hint }: ErrorParts): string {
  const place = where === undefined ? "" : `${where}: `;
  const advice = hint === undefined ? "" : ` — ${hint}`;
  return `${place}${what}${advice}`;
}
