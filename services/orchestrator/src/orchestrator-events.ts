import type { JsonObject } from "@xcloudflow/model/json-value";

/** An event before it has an id, a time and a tenant: those are the transaction's. `type` is `<noun>.<past-verb>`. */
export interface EventDraft {
  readonly noun: "run" | "step" | "task" | "attempt" | "change-set" | "approval" | "lock" | "governance";
  readonly verb: string;
  /** Unit address, ChangeSet or run id it concerns. */
  readonly subject: string;
  readonly actor: string;
  readonly data: JsonObject;
}

export function draftEvent(
  noun: EventDraft["noun"],
  verb: string,
  subject: string,
  actor: string,
  data: JsonObject = {},
): { readonly event: EventDraft } {
  return { event: { noun, verb, subject, actor, data } };
}
