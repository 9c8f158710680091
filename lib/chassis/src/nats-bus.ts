import {
  JetStreamApiError,
  type JetStreamClient,
  jetstream,
  jetstreamManager,
  type StreamInfo,
} from "@nats-io/jetstream";
import { headers, type NatsConnection, NoRespondersError, RequestError } from "@nats-io/transport-node";
import type { Bus, BusMessage, Delivery, Subscription } from "./bus.ts";
import { BusClosedError, BusSubjectInvalidError, BusUnavailableError } from "./bus-errors.ts";
import { checkPattern, checkSubject, escapeSubjectToken, matchesSubject } from "./bus-subject.ts";
import { traceHandler } from "./bus-tracing.ts";
import { type Clock, pause } from "./clock.ts";
import type { Logger } from "./logger.ts";
import { untilCut } from "./nats-cut.ts";
import { NatsStreamDiffersError } from "./nats-errors.ts";
import { API_TIMEOUT_MS, declareStream, isStreamMissing, type StreamSpec } from "./nats-streams.ts";
import { createNatsSubscription } from "./nats-subscription.ts";

export interface NatsBusOptions {
  /** Stays open after `close`: whoever opened it closes it. */
  readonly connection: NatsConnection;
  /** The stream that holds everything published here; declared again whenever it is gone. */
  readonly stream: StreamSpec;
  readonly clock: Clock;
  readonly logger: Logger;
  /** How long a message may be held without a sign of life before somebody else gets it. Default 30 s. */
  readonly ackWaitMs?: number;
  /** Failures of its handler after which a message is parked. Default 12: about ten minutes. */
  readonly parkAfter?: number;
  /** Wait before the nth delivery of the same message. */
  readonly redeliveryDelayMs?: (attempt: number) => number;
  /** Told about every handler failure; the message is delivered again unless it is parked. */
  readonly onHandlerError: (delivery: Delivery, error: unknown) => void;
  /** Told when a message is given up: it is not delivered again to this subscription, and stays in the stream. */
  readonly onParked: (delivery: Delivery, error: unknown) => void;
}

/** A bus over a JetStream stream. */
export type NatsBus = Bus & Required<Pick<Bus, "storeIdentity">>;

const ACK_WAIT_MS = 30_000;
const PARK_AFTER = 12;
const LONGEST_REDELIVERY_MS = 120_000;
const PUBLISH_TRIES = 5;
const PUBLISH_RETRY_MS = 100;
const FLUSH_MS = 2_000;

/**
 * The bus of the mesh: the twin of `createMemoryBus`. A durable name is a shared pull consumer that begins with the oldest
 * event kept; a subscription without one is a consumer of its own from now on, made again where it was if NATS lost it.
 *
 * @throws {NatsStreamDiffersError} when the stream exists and is another.
 * @throws what NATS threw when it does not answer.
 */
export async function createNatsBus(options: NatsBusOptions): Promise<NatsBus> {
  const { connection, stream, clock } = options;
  const manager = await jetstreamManager(connection, { timeout: API_TIMEOUT_MS });
  const client = jetstream(connection, { timeout: API_TIMEOUT_MS });
  const answered = untilCut(connection);
  const subscriptions = new Set<Subscription>();
  let closed = false;
  let declaring: Promise<StreamInfo> | undefined;

  function declare(): Promise<StreamInfo> {
    declaring ??= answered(declareStream(manager, stream)).finally(() => {
      declaring = undefined;
    });
    return declaring;
  }

  async function publish(subject: string, message: BusMessage): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        await answered(publishOnce(client, stream.name, subject, message));
        return;
      } catch (error) {
        if (tries === PUBLISH_TRIES || closed || !isStreamGone(error)) throw new BusUnavailableError(subject, error);
        await declare().catch(() => pause(clock, PUBLISH_RETRY_MS * tries));
      }
    }
  }

  await declare();
  return {
    async publish(subject, message) {
      if (closed) throw new BusClosedError();
      checkSubject(subject);
      if (!stream.subjects.some((pattern) => matchesSubject(pattern, subject)))
        throw new BusSubjectInvalidError(subject, `stream ${stream.name} does not hold it`);
      await publish(subject, message);
    },
    async subscribe(pattern, { durable }, handler) {
      if (closed) throw new BusClosedError();
      checkPattern(pattern);
      const subscription = await orUnavailable(
        pattern,
        createNatsSubscription({
          manager,
          client,
          isConnectionClosed: () => connection.isClosed(),
          stream: stream.name,
          declare,
          pattern,
          durable: durable === undefined ? undefined : escapeSubjectToken(durable),
          handler: traceHandler(pattern, handler),
          clock,
          logger: options.logger,
          ackWaitMs: options.ackWaitMs ?? ACK_WAIT_MS,
          parkAfter: options.parkAfter ?? PARK_AFTER,
          redeliveryDelayMs:
            options.redeliveryDelayMs ?? ((attempt) => Math.min(250 * 2 ** (attempt - 2), LONGEST_REDELIVERY_MS)),
          onHandlerError: options.onHandlerError,
          onParked: options.onParked,
        }),
      );
      subscriptions.add(subscription);
      return {
        async unsubscribe() {
          subscriptions.delete(subscription);
          await subscription.unsubscribe();
        },
      };
    },
    async storeIdentity() {
      if (closed) throw new BusClosedError();
      return (await orUnavailable(`stream ${stream.name}`, declare())).created;
    },
    async close() {
      closed = true;
      await Promise.all([...subscriptions].map((subscription) => subscription.unsubscribe()));
      subscriptions.clear();
      if (!connection.isClosed())
        await Promise.race([connection.flush().catch(() => undefined), pause(clock, FLUSH_MS)]);
    },
  };
}

async function orUnavailable<T>(where: string, answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    throw error instanceof NatsStreamDiffersError ? error : new BusUnavailableError(where, error);
  }
}

async function publishOnce(
  client: JetStreamClient,
  stream: string,
  subject: string,
  { id, data, headers: extra = {} }: BusMessage,
): Promise<void> {
  const head = headers();
  for (const [name, value] of Object.entries(extra)) head.set(name, value);
  await client.publish(subject, data, { msgID: id, headers: head, retries: 1, expect: { streamName: stream } });
}

/** Nobody answers for the subject, or what answers is not our stream; the client calls the first "JetStream not enabled". */
function isStreamGone(error: unknown): boolean {
  if (isStreamMissing(error) || error instanceof NoRespondersError) return true;
  if (error instanceof RequestError && error.isNoResponders()) return true;
  if (error instanceof JetStreamApiError) return error.status === 503;
  return error instanceof Error && error.cause !== undefined && isStreamGone(error.cause);
}
