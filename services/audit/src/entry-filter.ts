import { AuditQueryInvalidError } from "./audit-errors.ts";

/** Which entries a query wants; absent members want all. */
export interface EntryFilter {
  /** Only entries with a lower index: the page after one that ended here. */
  readonly before: bigint | undefined;
  readonly type: string | undefined;
  readonly concern: string | undefined;
  readonly actor: string | undefined;
  readonly since: Date | undefined;
  readonly until: Date | undefined;
}

export interface QueryText {
  readonly type: string;
  readonly subject: string;
  readonly actor: string;
  readonly since: string;
  readonly until: string;
  readonly token: string;
}

/** @throws {AuditQueryInvalidError} when a time or the page token cannot be read. */
export function readFilter({ type, subject, actor, since, until, token }: QueryText): EntryFilter {
  return {
    before: token === "" ? undefined : readToken(token),
    type: readType(type),
    concern: subject === "" ? undefined : subject,
    actor: actor === "" ? undefined : actor,
    since: readTime("since", since),
    until: readTime("until", until),
  };
}

/** `orchestrator.approval`, also as CloudEvents writes it (`io.xcloudflow.orchestrator.approval`) or with a last dot. */
export function readType(type: string): string | undefined {
  const bare = type.replace(/^io\.xcloudflow\.?/, "").replace(/\.$/, "");
  return bare === "" ? undefined : bare;
}

function readTime(name: string, text: string): Date | undefined {
  if (text === "") return undefined;
  const time = new Date(text);
  if (/^\d{4}-\d\d-\d\d/.test(text) && !Number.isNaN(time.getTime())) return time;
  throw new AuditQueryInvalidError(
    `${name} "${text.slice(0, 64)}" is no time`,
    "write an RFC 3339 time such as 2026-01-31T00:00:00Z",
  );
}

function readToken(token: string): bigint {
  if (/^[0-9]{1,18}$/.test(token)) return BigInt(token);
  throw new AuditQueryInvalidError("the page token is not one of ours", "pass on next_token of the page before");
}
