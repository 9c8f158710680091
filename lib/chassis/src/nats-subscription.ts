import {
  AckPolicy,
  type Consumer,
  type ConsumerMessages,
  DeliverPolicy,
  type JetStreamClient,
  type JetStreamManager,
  type JsMsg,
  type StreamInfo,
} from "@nats-io/jetstream";
import { nanos } from "@nats-io/transport-node";
import { CodedError } from "@xcloudflow/model/coded-error";
import type { BusHandler, Delivery, Subscription } from "./bus.ts";
import { type CancelTimer, type Clock, pause } from "./clock.ts";
import type { Logger } from "./logger.ts";
import { declareConsumer } from "./nats-streams.ts";

export interface NatsSubscriptionOptions {
  /** Closed for good; one that is lost comes back. */
  readonly isConnectionClosed: () => boolean;
  readonly manager: JetStreamManager;
  readonly client: JetStreamClient;
  readonly stream: string;
  /** Makes the stream again should it be gone. */
  readonly declare: () => Promise<StreamInfo>;
  readonly pattern: string;
  /** A consumer's name as NATS takes it. */
  readonly durable: string | undefined;
  readonly handler: BusHandler;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly ackWaitMs: number;
  readonly parkAfter: number;
  readonly redeliveryDelayMs: (attempt: number) => number;
  readonly onHandlerError: (delivery: Delivery, error: unknown) => void;
  readonly onParked: (delivery: Delivery, error: unknown) => void;
}

/**
 * Messages asked for at a time: they wait here while a handler runs, and others of the same durable name do not get them.
 * So few at first, and more only while they come faster than they are asked for.
 */
const LEAST = 16;
const MOST = 512;
/** Of one batch of messages, in which a fast handler is done with the largest. */
const QUICK_MS = 250;
const EXPIRES_MS = 10_000;
/** A consumer that vanished in silence is noticed after two of them. */
const HEARTBEAT_MS = 1_000;
const RETRY_MS = 200;
/** What NATS forgets a subscription without a name after, when its process died. */
const INACTIVE_MS = 300_000;
const MOST_UNACKNOWLEDGED = 10_000;

/** Pulls from one consumer until it is stopped, whatever happens to the server meanwhile. */
export async function createNatsSubscription(options: NatsSubscriptionOptions): Promise<Subscription> {
  const { manager, client, stream, durable, pattern, clock, logger, ackWaitMs } = options;
  const stopping = new AbortController();
  const held = new Set<JsMsg>();
  const place = createPlace();
  let messages: ConsumerMessages | undefined;
  let consumer: Consumer | undefined;

  async function openConsumer(): Promise<Consumer> {
    const { created, state } = await options.declare();
    const common = {
      filter_subject: pattern,
      ack_policy: AckPolicy.Explicit,
      ack_wait: nanos(ackWaitMs),
      max_deliver: -1,
      max_ack_pending: MOST_UNACKNOWLEDGED,
    };
    if (durable !== undefined) {
      const spec = { ...common, durable_name: durable, deliver_policy: DeliverPolicy.All };
      await declareConsumer(manager, stream, spec);
      return await client.consumers.get(stream, durable);
    }
    const start = place.startIn(created, state.last_seq);
    const { name } = await manager.consumers.add(stream, {
      ...common,
      deliver_policy: DeliverPolicy.StartSequence,
      opt_start_seq: start,
      inactive_threshold: nanos(INACTIVE_MS),
      mem_storage: true,
    });
    return await client.consumers.get(stream, name);
  }

  async function handle(message: JsMsg): Promise<void> {
    const delivery = toDelivery(message);
    try {
      if (delivery.attempt > 2 * options.parkAfter) throw new Error("its handlers never came to an end");
      await options.handler(delivery);
      place.finish(message.seq);
      message.ack();
    } catch (error) {
      options.onHandlerError(delivery, error);
      // What is wrong with the message itself will be wrong with it again.
      const hopeless = error instanceof CodedError && error.category === "invalid";
      if (!hopeless && delivery.attempt < options.parkAfter)
        return message.nak(options.redeliveryDelayMs(delivery.attempt + 1));
      place.finish(message.seq);
      message.term("its handler keeps failing");
      options.onParked(delivery, error);
    }
  }

  /** Hands on at once what no handler has begun. */
  async function take(message: JsMsg): Promise<void> {
    if (stopping.signal.aborted) message.nak();
    else await handle(message);
    held.delete(message);
  }

  async function pull(from: Consumer): Promise<void> {
    for (let size = LEAST; !stopping.signal.aborted; ) {
      const started = clock.now().getTime();
      let count = 0;
      messages = await from.fetch({ max_messages: size, expires: EXPIRES_MS, idle_heartbeat: HEARTBEAT_MS });
      if (stopping.signal.aborted) await messages.close();
      let handled = Promise.resolve();
      try {
        for await (const message of messages) {
          count++;
          held.add(message);
          place.receive(message.seq);
          handled = handled.then(() => take(message));
        }
      } finally {
        await handled;
      }
      const quick = count === size && clock.now().getTime() - started < QUICK_MS;
      size = quick ? Math.min(2 * size, MOST) : LEAST;
    }
  }

  async function follow(): Promise<void> {
    for (let failures = 0; !stopping.signal.aborted; ) {
      try {
        consumer ??= await openConsumer();
        failures = 0;
        await pull(consumer);
      } catch (error) {
        consumer = undefined;
        failures++;
        if (failures === 1) logger.debug("a subscription is made again", { stream, pattern, error });
        await pause(clock, RETRY_MS * Math.min(failures, 10), stopping.signal).catch(() => undefined);
      }
    }
  }

  let cancelSigns: CancelTimer = () => undefined;
  function giveSigns(): void {
    // Nobody hears them any more.
    if (options.isConnectionClosed()) return;
    for (const message of held) message.working();
    cancelSigns = clock.schedule(ackWaitMs / 3, giveSigns);
  }

  consumer = await openConsumer();
  giveSigns();
  const done = follow();
  return {
    async unsubscribe() {
      stopping.abort();
      try {
        await messages?.close();
        await done;
      } finally {
        cancelSigns();
      }
      if (durable === undefined) await consumer?.delete().catch(() => undefined);
    },
  };
}

interface Place {
  /** The sequence to go on with in a stream made at `created` that has messages up to `lastSequence`. */
  startIn(created: string, lastSequence: number): number;
  receive(sequence: number): void;
  finish(sequence: number): void;
}

/** Where a subscription without a name is, since NATS keeps no such thing for it. */
function createPlace(): Place {
  const unfinished = new Set<number>();
  let stream: string | undefined;
  let next = 1;
  return {
    startIn(created, lastSequence) {
      if (stream === undefined) next = lastSequence + 1;
      else if (stream !== created) {
        unfinished.clear();
        next = 1;
      }
      stream = created;
      return Math.min(next, ...unfinished);
    },
    receive(sequence) {
      unfinished.add(sequence);
      next = Math.max(next, sequence + 1);
    },
    finish: (sequence) => void unfinished.delete(sequence),
  };
}

/** Ours are named; what others publish has at least its place in the stream. */
function toDelivery(message: JsMsg): Delivery {
  const names = message.headers?.keys() ?? [];
  const headers = Object.fromEntries(names.map((name) => [name, message.headers?.get(name) ?? ""]));
  const { [MESSAGE_ID]: id, ...rest } = headers;
  return {
    id: id ?? `${message.info.stream}:${message.seq}`,
    subject: message.subject,
    data: message.data,
    headers: withoutInternal(rest),
    attempt: message.info.deliveryCount,
  };
}

const MESSAGE_ID = "Nats-Msg-Id";

function withoutInternal(headers: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !name.startsWith("Nats-")));
}
