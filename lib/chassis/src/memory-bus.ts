import type { Bus, BusHandler, Delivery, SubscribeOptions, Subscription } from "./bus.ts";
import { BusClosedError, BusSubjectInvalidError } from "./bus-errors.ts";
import { checkPattern, checkSubject, matchesSubject } from "./bus-subject.ts";
import { traceHandler } from "./bus-tracing.ts";
import type { CancelTimer, Clock } from "./clock.ts";

export interface MemoryBusOptions {
  readonly clock: Clock;
  /** How many message ids are remembered to drop repeats (JetStream remembers by time; memory wants a bound). */
  readonly rememberedIds?: number;
  /** Wait before the nth delivery of the same message. */
  readonly redeliveryDelayMs?: (attempt: number) => number;
  /** Told about every handler failure; the message is delivered again regardless. */
  readonly onHandlerError: (delivery: Delivery, error: unknown) => void;
}

const REMEMBERED_IDS = 100_000;
const LONGEST_REDELIVERY_MS = 30_000;

/** The bus of the embedded mode: lives and dies with the process, which is enough because it is only ever a hint. */
export function createMemoryBus(options: MemoryBusOptions): Bus {
  const queues = new Set<Queue>();
  const durables = new Map<string, Queue>();
  const seen = createIdMemory(options.rememberedIds ?? REMEMBERED_IDS);
  const delay = options.redeliveryDelayMs ?? ((attempt) => Math.min(100 * 2 ** (attempt - 2), LONGEST_REDELIVERY_MS));
  let closed = false;

  function queueFor(pattern: string, durable: string | undefined): Queue {
    const known = durable === undefined ? undefined : durables.get(durable);
    if (known && known.pattern !== pattern)
      throw new BusSubjectInvalidError(pattern, `durable ${durable} listens to ${known.pattern}`);
    if (known) return known;
    const queue = createQueue(pattern, durable !== undefined, options, delay);
    queues.add(queue);
    if (durable !== undefined) durables.set(durable, queue);
    return queue;
  }

  return {
    async publish(subject, message) {
      if (closed) throw new BusClosedError();
      checkSubject(subject);
      if (!seen.add(message.id)) return;
      for (const queue of queues)
        if (matchesSubject(queue.pattern, subject)) queue.push({ ...message, subject, attempt: 1 });
    },
    async subscribe(pattern, { durable }: SubscribeOptions, handler): Promise<Subscription> {
      if (closed) throw new BusClosedError();
      checkPattern(pattern);
      const queue = queueFor(pattern, durable);
      const worker = queue.attach(traceHandler(pattern, handler));
      return {
        async unsubscribe() {
          if (durable !== undefined) return await worker.stop();
          queues.delete(queue);
          await queue.stop();
        },
      };
    },
    async close() {
      closed = true;
      await Promise.all([...queues].map((queue) => queue.stop()));
      queues.clear();
      durables.clear();
    },
  };
}

interface Queue {
  readonly pattern: string;
  push(delivery: Delivery): void;
  attach(handler: BusHandler): Worker;
  stop(): Promise<void>;
}

interface Worker {
  stop(): Promise<void>;
}

function createQueue(
  pattern: string,
  durable: boolean,
  options: MemoryBusOptions,
  delay: (attempt: number) => number,
): Queue {
  const waiting: Delivery[] = [];
  const idle: ((delivery: Delivery) => void)[] = [];
  const workers = new Set<Worker>();
  const retries = new Set<CancelTimer>();

  function push(delivery: Delivery): void {
    const take = idle.shift();
    if (take) take(delivery);
    else if (durable || workers.size > 0) waiting.push(delivery);
  }

  function retry(delivery: Delivery): void {
    const again = { ...delivery, attempt: delivery.attempt + 1 };
    const cancel = options.clock.schedule(delay(again.attempt), () => {
      retries.delete(cancel);
      push(again);
    });
    retries.add(cancel);
  }

  function attach(handler: BusHandler): Worker {
    let stopped = false;
    let wake: ((delivery: Delivery) => void) | undefined;
    const { promise: stopping, resolve: stop } = Promise.withResolvers<undefined>();

    async function take(): Promise<Delivery | undefined> {
      const ready = waiting.shift();
      if (ready) return ready;
      const { promise, resolve } = Promise.withResolvers<Delivery>();
      wake = resolve;
      idle.push(resolve);
      return await Promise.race([promise, stopping]);
    }

    async function work(): Promise<void> {
      for (;;) {
        if (stopped) return;
        const delivery = await take();
        wake = undefined;
        if (delivery === undefined) return;
        try {
          await handler(delivery);
        } catch (error) {
          options.onHandlerError(delivery, error);
          retry(delivery);
        }
      }
    }

    const done = work();
    const worker: Worker = {
      async stop() {
        stopped = true;
        const place = wake ? idle.indexOf(wake) : -1;
        if (place >= 0) {
          idle.splice(place, 1);
          stop(undefined);
        }
        workers.delete(worker);
        await done;
      },
    };
    workers.add(worker);
    return worker;
  }

  return {
    pattern,
    push,
    attach,
    async stop() {
      for (const cancel of retries) cancel();
      await Promise.all([...workers].map((worker) => worker.stop()));
    },
  };
}

function createIdMemory(limit: number): { add(id: string): boolean } {
  const ids = new Set<string>();
  return {
    add(id) {
      if (ids.has(id)) return false;
      ids.add(id);
      const oldest = ids.values().next().value;
      if (ids.size > limit && oldest !== undefined) ids.delete(oldest);
      return true;
    },
  };
}
