import {
  type ConsumerConfig,
  DiscardPolicy,
  JetStreamApiError,
  type JetStreamManager,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
  type StreamInfo,
} from "@nats-io/jetstream";
import { nanos } from "@nats-io/transport-node";
import { NatsStreamDiffersError } from "./nats-errors.ts";

/** What an operator decides about both streams. */
export interface NatsStreamSettings {
  /** 1, or 3 and 5 in a cluster. */
  readonly replicas: number;
  readonly storage: "file" | "memory";
  /** How long events stay for subscribers to replay. */
  readonly eventMaxAgeMs: number;
  /** How long a message id is remembered. */
  readonly dedupeMs: number;
}

export const DEFAULT_STREAM_SETTINGS: NatsStreamSettings = {
  replicas: 1,
  storage: "file",
  eventMaxAgeMs: 7 * 86_400_000,
  dedupeMs: 120_000,
};

/** A stream as it should be; what it does not say is NATS's default. */
export type StreamSpec = Partial<StreamConfig> & Pick<StreamConfig, "name" | "subjects" | "retention" | "storage">;

/** Of a request to JetStream, whose answer a killed server never sends. */
export const API_TIMEOUT_MS = 2_000;

export const EVENT_STREAM = "XCF_EVENTS";
export const TASK_STREAM = "XCF_TASKS";

/** Everything that happened, for a time: read by services and, through mirrors, by subscribers. */
export function eventStream(settings: NatsStreamSettings): StreamSpec {
  return {
    ...common(settings),
    name: EVENT_STREAM,
    description: "CloudEvents of every service",
    subjects: ["xcf.event.>"],
    retention: RetentionPolicy.Limits,
    max_age: nanos(settings.eventMaxAgeMs),
  };
}

/** Prompts to claim tasks that are queued or running; a task that has ended has none. */
export function taskStream(settings: NatsStreamSettings): StreamSpec {
  return {
    ...common(settings),
    name: TASK_STREAM,
    description: "one message a queued or running task",
    subjects: ["xcf.task.*.*"],
    retention: RetentionPolicy.Workqueue,
  };
}

function common({ storage, replicas, dedupeMs }: NatsStreamSettings) {
  return {
    storage: storage === "file" ? StorageType.File : StorageType.Memory,
    discard: DiscardPolicy.Old,
    num_replicas: replicas,
    duplicate_window: nanos(dedupeMs),
    allow_direct: true,
  };
}

const STREAM_NOT_FOUND = 10059;
const STREAM_NAME_IN_USE = 10058;
const CONSUMER_NOT_FOUND = 10014;

/**
 * Makes the stream, or brings what exists up to date; safe to repeat and from several processes at once.
 *
 * @throws {NatsStreamDiffersError} when it exists with another retention or storage.
 */
export async function declareStream(manager: JetStreamManager, spec: StreamSpec): Promise<StreamInfo> {
  const existing = await findStream(manager, spec.name);
  if (existing === undefined) {
    try {
      return await manager.streams.add(spec);
    } catch (error) {
      if (!hasCode(error, STREAM_NAME_IN_USE)) throw error;
      return await declareStream(manager, spec);
    }
  }
  const fixed = differences(existing.config, { retention: spec.retention, storage: spec.storage });
  if (fixed.length > 0) throw new NatsStreamDiffersError(spec.name, fixed);
  if (differences(existing.config, spec).length === 0) return existing;
  return await manager.streams.update(spec.name, { ...existing.config, ...spec });
}

async function findStream(manager: JetStreamManager, name: string): Promise<StreamInfo | undefined> {
  try {
    return await manager.streams.info(name);
  } catch (error) {
    if (hasCode(error, STREAM_NOT_FOUND)) return undefined;
    throw error;
  }
}

/** Whether the server says that the stream is not there (any more). */
export function isStreamMissing(error: unknown): boolean {
  return hasCode(error, STREAM_NOT_FOUND);
}

export type ConsumerSpec = Partial<ConsumerConfig> &
  Pick<ConsumerConfig, "durable_name" | "ack_policy" | "deliver_policy"> & { readonly durable_name: string };

/**
 * Makes the durable consumer, or brings what exists up to date, keeping its place in the stream.
 *
 * @throws {NatsStreamDiffersError} when it exists with another way of acknowledging.
 */
export async function declareConsumer(manager: JetStreamManager, stream: string, spec: ConsumerSpec): Promise<void> {
  const existing = await findConsumer(manager, stream, spec.durable_name);
  if (existing === undefined) {
    await manager.consumers.add(stream, spec);
    return;
  }
  const { ack_policy, deliver_policy, ...changeable } = spec;
  const fixed = differences(existing, { ack_policy, deliver_policy });
  if (fixed.length > 0) throw new NatsStreamDiffersError(`${stream}, consumer ${spec.durable_name}`, fixed);
  if (differences(existing, changeable).length > 0)
    await manager.consumers.update(stream, spec.durable_name, { ...existing, ...changeable });
}

async function findConsumer(manager: JetStreamManager, stream: string, name: string) {
  try {
    return (await manager.consumers.info(stream, name)).config;
  } catch (error) {
    if (hasCode(error, CONSUMER_NOT_FOUND)) return undefined;
    throw error;
  }
}

function hasCode(error: unknown, code: number): boolean {
  return error instanceof JetStreamApiError && error.code === code;
}

function differences(existing: object, wanted: object): readonly string[] {
  const known = new Map<string, unknown>(Object.entries(existing));
  return Object.entries(wanted)
    .filter(([key, value]) => JSON.stringify(known.get(key)) !== JSON.stringify(value))
    .map(([key]) => `${key} ${JSON.stringify(known.get(key)) ?? "unset"}`);
}
