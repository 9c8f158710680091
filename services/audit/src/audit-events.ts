import { setImmediate } from "node:timers/promises";
import type { Bus, Delivery, Subscription } from "@xcloudflow/chassis/bus";
import { decodeEvent, EventInvalidError, eventSubject, toCloudEvent, type XcfEvent } from "@xcloudflow/chassis/event";
import { DocumentInvalidError, encodeDocument } from "@xcloudflow/model/parse-json";
import type { AuditContext } from "./audit-context.ts";
import { AuditLogTamperedError } from "./audit-errors.ts";
import { auditedEvent } from "./audited-event.ts";
import { createEventBatcher, type EventBatcher } from "./event-batcher.ts";
import { appendToLog } from "./log-store.ts";
import { messageRefused } from "./refused-message.ts";

/** Every event of every tenant and service. */
const EVERY_EVENT = "xcf.event.>";
/** So many events may wait for the same transaction; each holds one worker of the queue. */
const WORKERS = 128;
const LINGER_MS = 20;

/** Puts every event on the bus into its tenant's log. An event is acknowledged when it is committed there. */
export interface EventListener {
  /** Writes what the bus holds already, then listens no more. */
  close(): Promise<void>;
}

export async function listenForEvents(context: AuditContext, bus: Bus): Promise<EventListener> {
  const batcher = createEventBatcher({
    clock: context.clock,
    lingerMs: LINGER_MS,
    most: WORKERS,
    write: (tenant, events) => write(context, tenant, events),
  });
  const subscriptions: Subscription[] = [];
  for (let worker = 0; worker < WORKERS; worker++) {
    subscriptions.push(
      await bus.subscribe(EVERY_EVENT, { durable: "audit" }, (delivery) => accept(context, batcher, delivery)),
    );
  }
  return {
    async close() {
      // Each event written lets a worker take the next from the bus, which shows a turn of the event loop later.
      do {
        await batcher.flush();
        await setImmediate();
      } while (batcher.size() > 0);
      await Promise.all(subscriptions.map((subscription) => subscription.unsubscribe()));
    },
  };

  async function write(
    auditContext: AuditContext,
    tenant: string,
    events: Parameters<typeof appendToLog>[2],
  ): Promise<void> {
    try {
      const signed = await appendToLog(auditContext, tenant, events);
      if (signed !== undefined) await leave(auditContext, signed.origin, signed.note);
    } catch (error) {
      if (error instanceof AuditLogTamperedError)
        auditContext.logger.error("the audit log was tampered with", { error });
      throw error;
    }
  }
}

async function accept(context: AuditContext, batcher: EventBatcher, delivery: Delivery): Promise<void> {
  const { data, subject } = delivery;
  try {
    await batcher.add(auditedEvent(readEvent(data, subject), data));
  } catch (error) {
    if (!(error instanceof DocumentInvalidError || error instanceof EventInvalidError)) throw error;
    // It would be refused for ever: an outbox writes no such thing, so a stranger published it.
    context.logger.error("what came on an event's subject is no event", { subject, error });
    const refused = messageRefused(context, delivery, error);
    if (refused !== undefined) await batcher.add(auditedEvent(refused, encodeDocument(toCloudEvent(refused))));
  }
}

/** An event belongs where it came: who publishes as one tenant says nothing of another. */
function readEvent(data: Uint8Array, subject: string): XcfEvent {
  const event = decodeEvent(data, subject);
  if (eventSubject(event) !== subject) throw new EventInvalidError(subject, `it says it is ${eventSubject(event)}`);
  return event;
}

/** A checkpoint that does not leave is a weaker log, not a broken one. */
async function leave({ witness, logger }: AuditContext, origin: string, note: string): Promise<void> {
  try {
    await witness.record(origin, note);
  } catch (error) {
    logger.warn("the audit checkpoint could not be kept outside the database", { origin, error });
  }
}
