import type { AttemptClaims } from "@xcloudflow/chassis/attempt-token";
import type { Caller } from "@xcloudflow/chassis/caller";
import type { XcfEvent } from "@xcloudflow/chassis/event";
import type { JsonObject } from "@xcloudflow/model/json-value";
import type { StateContext } from "./state-context.ts";

/** Everything the service says has happened, as `<noun>.<verb>`. */
export type StateEventName =
  | "artefact.stored"
  | "change-set.stored"
  | "fence.raised"
  | "engine-state.written"
  | "engine-state.written-by-hand"
  | "engine-state.deleted"
  | "engine-state.deleted-by-hand"
  | "engine-state.quarantined"
  | "engine-state.recovered"
  | "engine-state.pulled"
  | "engine-state.moved"
  | "engine-state.locked"
  | "engine-state.unlocked"
  | "engine-state.lock-broken"
  | "engine-state.lock-taken-over"
  | "applied.moved"
  | "applied.attempted"
  | "applied.removed"
  | "outputs.stored"
  | "outputs.resolved"
  | "drift.recorded"
  | "drift.closed";

export interface EventAbout {
  readonly tenant: string;
  readonly actor: string;
  /** Unit address, ChangeSet or artefact. */
  readonly subject: string;
  readonly data?: JsonObject;
}

/** An event of this moment. Its data never holds a value of an output or anything out of a state. */
export function stateEvent(
  { clock, ids }: Pick<StateContext, "clock" | "ids">,
  name: StateEventName,
  about: EventAbout,
): XcfEvent {
  const [noun = "", verb = ""] = name.split(".");
  return {
    id: ids.next("evt"),
    tenant: about.tenant,
    service: "state",
    noun,
    verb,
    subject: about.subject,
    time: clock.now().toISOString(),
    actor: about.actor,
    data: about.data ?? {},
  };
}

/** `user:ada@example.com`; what already says its kind (`service:orchestrator`) stays. */
export function actorOf({ subject }: Caller): string {
  return subject.includes(":") ? subject : `user:${subject}`;
}

/** `attempt:<task>/<attempt>` */
export function attemptActor({ task, attempt }: AttemptClaims): string {
  return `attempt:${task}/${attempt}`;
}
