import type { AttemptClaims } from "@xcloudflow/chassis/attempt-token";
import type { Caller } from "@xcloudflow/chassis/caller";
import type { XcfEvent } from "@xcloudflow/chassis/event";
import type { JsonObject } from "@xcloudflow/model/json-value";
import type { SecretsContext } from "./secrets-context.ts";

/** Everything the service says has happened, as `<noun>.<verb>`. */
export type SecretsEventName = "secret.resolved" | "secret.refused" | "backends.configured" | "fence.raised";

export interface EventAbout {
  readonly tenant: string;
  readonly actor: string;
  readonly subject: string;
  readonly data: JsonObject;
}

/** An event of this moment. It names references, and never holds a value. */
export function secretsEvent(
  { clock, ids }: Pick<SecretsContext, "clock" | "ids">,
  name: SecretsEventName,
  about: EventAbout,
): XcfEvent {
  const [noun = "", verb = ""] = name.split(".");
  return { id: ids.next("evt"), service: "secrets", noun, verb, time: clock.now().toISOString(), ...about };
}

/** What an access is told apart by. */
export function accessEvent(
  context: SecretsContext,
  name: "secret.resolved" | "secret.refused",
  claims: AttemptClaims,
  data: JsonObject,
): XcfEvent {
  const { tenant, unit, run, task, attempt, purpose } = claims;
  return secretsEvent(context, name, {
    tenant,
    actor: `attempt:${task}/${attempt}`,
    subject: unit,
    data: { run, task, attempt, purpose, ...data },
  });
}

/** `user:ada@example.com`; what already says its kind (`service:orchestrator`) stays. */
export function actorOf({ subject }: Caller): string {
  return subject.includes(":") ? subject : `user:${subject}`;
}
