import type { Caller } from "@xcloudflow/chassis/caller";
import type { XcfEvent } from "@xcloudflow/chassis/event";
import type { JsonObject } from "@xcloudflow/model/json-value";
import type { ApiContext } from "./api-context.ts";

/** What the service says has happened, as `<noun>.<verb>`. */
export type ApiEventName = "token.created" | "token.revoked";

/** An event of this moment, caused by `caller`. Its data never holds a token's text or hash. */
export function apiEvent(
  { clock, ids }: Pick<ApiContext, "clock" | "ids">,
  name: ApiEventName,
  { tenant, subject }: Caller,
  about: { readonly subject: string; readonly data: JsonObject },
): XcfEvent {
  const [noun = "", verb = ""] = name.split(".");
  return {
    id: ids.next("evt"),
    tenant,
    service: "api",
    noun,
    verb,
    subject: about.subject,
    time: clock.now().toISOString(),
    actor: subject.includes(":") ? subject : `user:${subject}`,
    data: about.data,
  };
}
