import { CodedError } from "@xcloudflow/model/coded-error";
import { jsonObjectSchema } from "@xcloudflow/model/json-value";
import { decodeDocument, encodeDocument } from "@xcloudflow/model/parse-json";
import { z } from "zod";
import type { BusMessage } from "./bus.ts";
import { escapeSubjectToken } from "./bus-subject.ts";
import { currentTraceparent, TRACEPARENT } from "./tracing.ts";

const word = z.string().regex(/^[a-z][a-z0-9-]*$/, "lower-case words joined by -");

/** Something that happened, written to the outbox in the transaction that made it happen. */
export const xcfEventSchema = z.strictObject({
  /** `evt_…`; also the message id on the bus. */
  id: z.string().min(1),
  tenant: z.string().min(1),
  service: word,
  noun: word,
  /** In the past: `approved`, `started`, `outcome-unknown`. */
  verb: word,
  /** Unit address, ChangeSet or run it is about. */
  subject: z.string().min(1).optional(),
  /** RFC 3339, UTC. */
  time: z.iso.datetime(),
  /** `user:ada@example.com` or `service:orchestrator`. */
  actor: z.string().min(1),
  data: jsonObjectSchema,
});
export type XcfEvent = z.infer<typeof xcfEventSchema>;

/** CloudEvents 1.0 structured JSON; `xcftenant` and `xcfactor` are extension attributes (lower-case letters only, says the spec). */
export const cloudEventSchema = z.looseObject({
  specversion: z.literal("1.0"),
  id: z.string().min(1),
  source: z.string().regex(/^\/xcloudflow\/[a-z][a-z0-9-]*$/),
  type: z.string().regex(/^io\.xcloudflow\.[a-z][a-z0-9-]*\.[a-z][a-z0-9-]*\.[a-z][a-z0-9-]*$/),
  subject: z.string().min(1).optional(),
  time: z.iso.datetime(),
  datacontenttype: z.literal("application/json"),
  xcftenant: z.string().min(1),
  xcfactor: z.string().min(1),
  data: jsonObjectSchema,
});
export type CloudEvent = z.infer<typeof cloudEventSchema>;

/** Thrown when a message on the bus or a row of the outbox is not an event of ours. */
export class EventInvalidError extends CodedError {
  constructor(where: string, what: string, cause?: unknown) {
    super("EVENT_INVALID", "invalid", {
      what,
      where,
      hint: "the publisher and this process may be of different versions",
      cause,
    });
  }
}

const TYPE_PREFIX = "io.xcloudflow.";

/** `orchestrator.approval.given`: what audit filters by, also as a prefix. */
export function eventType({ service, noun, verb }: Pick<XcfEvent, "service" | "noun" | "verb">): string {
  return `${service}.${noun}.${verb}`;
}

/** `xcf.event.<tenant>.<service>.<noun>.<past-verb>` */
export function eventSubject(event: Pick<XcfEvent, "tenant" | "service" | "noun" | "verb">): string {
  return ["xcf.event", ...[event.tenant, event.service, event.noun, event.verb].map(escapeSubjectToken)].join(".");
}

export function toCloudEvent(event: XcfEvent): CloudEvent {
  return {
    specversion: "1.0",
    id: event.id,
    source: `/xcloudflow/${event.service}`,
    type: `${TYPE_PREFIX}${eventType(event)}`,
    ...(event.subject === undefined ? {} : { subject: event.subject }),
    time: event.time,
    datacontenttype: "application/json",
    xcftenant: event.tenant,
    xcfactor: event.actor,
    data: event.data,
  };
}

/** The headers an encoded event travels with: its content type, and the trace it is a part of. */
export function eventHeaders(data: Uint8Array): Record<string, string> {
  const headers: Record<string, string> = { "Content-Type": CLOUD_EVENT_CONTENT_TYPE };
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  if (!bytes.includes(`"${TRACEPARENT}"`)) return headers;
  const { traceparent } = tracedSchema.parse(decodeDocument(z.unknown(), data, "an event"));
  return traceparent === undefined ? headers : { ...headers, [TRACEPARENT]: traceparent };
}

const tracedSchema = z.looseObject({ traceparent: z.string().optional().catch(undefined) });

/** @throws {EventInvalidError} when `value` is not a CloudEvent of ours. */
export function fromCloudEvent(value: unknown, where: string): XcfEvent {
  const parsed = cloudEventSchema.safeParse(value);
  if (!parsed.success) throw new EventInvalidError(where, z.prettifyError(parsed.error), parsed.error);
  const { id, type, subject, time, xcftenant, xcfactor, data } = parsed.data;
  const [service = "", noun = "", verb = ""] = type.slice(TYPE_PREFIX.length).split(".");
  return {
    id,
    tenant: xcftenant,
    service,
    noun,
    verb,
    ...(subject === undefined ? {} : { subject }),
    time,
    actor: xcfactor,
    data,
  };
}

export const CLOUD_EVENT_CONTENT_TYPE = "application/cloudevents+json";

/** The event as it travels: CloudEvents JSON, its id as the message id, a part of the running trace if there is one. */
export function encodeEvent(event: XcfEvent): BusMessage {
  const traceparent = currentTraceparent();
  // CloudEvents' distributed tracing extension: about the message, so no part of what is audited.
  const data = encodeDocument({ ...toCloudEvent(event), ...(traceparent === undefined ? {} : { traceparent }) });
  return { id: event.id, data, headers: eventHeaders(data) };
}

/**
 * @throws {DocumentInvalidError} when the bytes are not JSON.
 * @throws {EventInvalidError} when they are not a CloudEvent of ours.
 */
export function decodeEvent(data: Uint8Array, where: string): XcfEvent {
  return fromCloudEvent(decodeDocument(z.unknown(), data, where), where);
}
