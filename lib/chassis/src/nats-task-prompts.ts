import {
  AckPolicy,
  type Consumer,
  type ConsumerMessages,
  DeliverPolicy,
  type JsMsg,
  jetstream,
  jetstreamManager,
} from "@nats-io/jetstream";
import { type NatsConnection, nanos } from "@nats-io/transport-node";
import { type CancelTimer, type Clock, pause } from "./clock.ts";
import type { Logger } from "./logger.ts";
import { createNatsBus, type NatsBus } from "./nats-bus.ts";
import { API_TIMEOUT_MS, type ConsumerSpec, declareConsumer, declareStream, type StreamSpec } from "./nats-streams.ts";
import {
  parsePrompt,
  publishPrompt,
  runnerConsumer,
  type TaskAnnouncer,
  type TaskPrompt,
  type TaskPrompts,
  taskSubject,
} from "./task-prompts.ts";

export interface NatsTasksOptions {
  readonly connection: NatsConnection;
  /** `taskStream(settings)` */
  readonly stream: StreamSpec;
  readonly clock: Clock;
  readonly logger: Logger;
  /** How long a prompt is a worker's without an `extend`, in milliseconds. Default 30 s. */
  readonly ackWaitMs?: number;
}

export interface NatsTaskPromptsOptions extends NatsTasksOptions {
  readonly engines: readonly string[];
  readonly pool: string;
  /** How long `next` waits. Default 20 s. */
  readonly waitMs?: number;
}

const ACK_WAIT_MS = 30_000;
const WAIT_MS = 20_000;
const HEARTBEAT_MS = 1_000;
const RETRY_MS = 250;
const MOST_RUNNING = 50_000;

/**
 * A pool's consumer. Nothing is ever given up by the server, since a prompt without its task is settled by whoever claims
 * in vain; a task whose workers keep dying comes back more and more slowly.
 */
export function runnerConsumerSpec(engine: string, pool: string, ackWaitMs = ACK_WAIT_MS): ConsumerSpec {
  return {
    durable_name: runnerConsumer(engine, pool),
    filter_subject: taskSubject(engine, pool),
    ack_policy: AckPolicy.Explicit,
    deliver_policy: DeliverPolicy.All,
    ack_wait: nanos(ackWaitMs),
    backoff: [1, 1, 2, 4].map((times) => nanos(times * ackWaitMs)),
    max_deliver: -1,
    max_ack_pending: MOST_RUNNING,
  };
}

/** A worker's side. */
export async function createNatsTaskPrompts(options: NatsTaskPromptsOptions): Promise<TaskPrompts> {
  const { connection, stream, engines, pool, clock, logger, waitMs = WAIT_MS, ackWaitMs = ACK_WAIT_MS } = options;
  const manager = await jetstreamManager(connection, { timeout: API_TIMEOUT_MS });
  const client = jetstream(connection, { timeout: API_TIMEOUT_MS });
  const consumers = new Map<string, Consumer>();
  const closing = new AbortController();

  async function consumerOf(engine: string): Promise<Consumer> {
    const known = consumers.get(engine);
    if (known !== undefined) return known;
    await declareStream(manager, stream);
    const spec = runnerConsumerSpec(engine, pool, ackWaitMs);
    await declareConsumer(manager, stream.name, spec);
    const consumer = await client.consumers.get(stream.name, spec.durable_name);
    consumers.set(engine, consumer);
    return consumer;
  }

  /** One message of one engine, asked for until there is one or nobody wants it any more. */
  async function pullOne(engine: string, unwanted: AbortSignal): Promise<JsMsg | undefined> {
    while (!unwanted.aborted) {
      try {
        const consumer = await consumerOf(engine);
        const expires = Math.max(1_000, waitMs);
        const messages = await consumer.fetch({ max_messages: 1, expires, idle_heartbeat: HEARTBEAT_MS });
        const message = await firstOf(messages, unwanted);
        if (message !== undefined) return message;
      } catch (error) {
        consumers.delete(engine);
        logger.debug("a pool's consumer is made again", { engine, pool, error });
        await pause(clock, RETRY_MS, unwanted).catch(() => undefined);
      }
    }
    return undefined;
  }

  async function pullAny(unwanted: AbortSignal): Promise<JsMsg | undefined> {
    const { promise: first, resolve } = Promise.withResolvers<JsMsg | undefined>();
    let taken = false;
    const pulls = engines.map(async (engine) => {
      const message = await pullOne(engine, unwanted);
      if (message === undefined) return;
      if (taken || unwanted.aborted) return message.nak();
      taken = true;
      resolve(message);
    });
    void Promise.all(pulls).then(() => resolve(undefined));
    return await first;
  }

  async function next(signal: AbortSignal): Promise<TaskPrompt | undefined> {
    for (;;) {
      const settled = new AbortController();
      const timer: CancelTimer = clock.schedule(waitMs, () => settled.abort());
      try {
        const message = await pullAny(AbortSignal.any([signal, closing.signal, settled.signal]));
        if (message === undefined) return undefined;
        const prompt = toPrompt(message, connection, logger);
        if (prompt !== undefined) return prompt;
      } finally {
        timer();
        settled.abort();
      }
    }
  }

  for (const engine of engines) await consumerOf(engine);
  return {
    next,
    async close() {
      closing.abort();
    },
  };
}

async function firstOf(messages: ConsumerMessages, unwanted: AbortSignal): Promise<JsMsg | undefined> {
  const stop = (): void => void messages.close();
  unwanted.addEventListener("abort", stop, { once: true });
  if (unwanted.aborted) stop();
  try {
    for await (const message of messages) return message;
    return undefined;
  } finally {
    unwanted.removeEventListener("abort", stop);
  }
}

function toPrompt(message: JsMsg, connection: NatsConnection, logger: Logger): TaskPrompt | undefined {
  const body = parsePrompt(message.data);
  if (body === undefined) {
    logger.warn("a message in the queue of tasks names no task; it is dropped", { subject: message.subject });
    message.term("names no task");
    return undefined;
  }
  return {
    ...body,
    extend: () => message.working(),
    async done() {
      // Unheard, it comes again, and the claim then finds that the task has ended.
      await message
        .ackAck()
        .catch((error: unknown) => logger.debug("a prompt's end was not heard", { ...body, error }));
    },
    async later(delayMs) {
      message.nak(delayMs);
      await connection.flush().catch(() => undefined);
    },
  };
}

export interface NatsTaskAnnouncerOptions extends NatsTasksOptions {
  /** How often to look whether NATS still has what was announced. Default 2 s. */
  readonly lookEveryMs?: number;
  /** Told when prompts were lost with NATS's store: announce every queued and running task again. */
  readonly onLost: () => void;
}

const LOOK_MS = 2_000;

/** The orchestrator's side. It makes pools' consumers too, so that one scaled to zero can be counted. */
export async function createNatsTaskAnnouncer(options: NatsTaskAnnouncerOptions): Promise<TaskAnnouncer> {
  const { connection, stream, clock, logger, onLost, ackWaitMs, lookEveryMs = LOOK_MS } = options;
  const manager = await jetstreamManager(connection, { timeout: API_TIMEOUT_MS });
  const bus: NatsBus = await createNatsBus({
    connection,
    stream,
    clock,
    logger,
    onHandlerError: () => undefined,
    onParked: () => undefined,
  });
  const pools = new Map<string, Promise<void>>();
  let store = await bus.storeIdentity();
  let closed = false;

  async function look(): Promise<void> {
    const now = await bus.storeIdentity().catch(() => store);
    if (closed) return;
    if (now !== store) {
      store = now;
      pools.clear();
      logger.warn("NATS lost the queue of tasks; it is filled again", { stream: stream.name });
      onLost();
    }
    timer = clock.schedule(lookEveryMs, () => void look());
  }

  function declarePool(engine: string, pool: string): Promise<void> {
    const spec = runnerConsumerSpec(engine, pool, ackWaitMs);
    const known = pools.get(spec.durable_name);
    if (known !== undefined) return known;
    const declared = declareConsumer(manager, stream.name, spec);
    pools.set(spec.durable_name, declared);
    // What could not be made now is tried at the next announcement; the message waits in the stream.
    declared.catch(() => pools.delete(spec.durable_name));
    return declared;
  }

  let timer: CancelTimer = clock.schedule(lookEveryMs, () => void look());
  return {
    async announceTask(announcement) {
      await publishPrompt(bus, announcement);
      await declarePool(announcement.engine, announcement.pool).catch((error: unknown) =>
        logger.warn("a pool's consumer could not be made", { ...announcement, error }),
      );
    },
    async close() {
      closed = true;
      timer();
      await bus.close();
    },
  };
}
