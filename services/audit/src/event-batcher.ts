import type { CancelTimer, Clock } from "@xcloudflow/chassis/clock";
import type { AuditedEvent } from "./audited-event.ts";

export interface EventBatcherOptions {
  readonly clock: Clock;
  /** How long the first event of a batch waits for company. */
  readonly lingerMs: number;
  readonly most: number;
  /** Writes events of one tenant in their order. */
  readonly write: (tenant: string, events: readonly AuditedEvent[]) => Promise<void>;
}

/** Gathers events that arrive one by one into few transactions, in the order of arrival. */
export interface EventBatcher {
  /** Resolves when the event is in the log. @throws what `write` threw. */
  add(event: AuditedEvent): Promise<void>;
  /** Writes what is waiting. */
  flush(): Promise<void>;
  /** How many wait to be written, or are being written. */
  size(): number;
}

interface Waiting {
  readonly event: AuditedEvent;
  readonly settle: PromiseWithResolvers<void>;
}

export function createEventBatcher({ clock, lingerMs, most, write }: EventBatcherOptions): EventBatcher {
  let waiting: Waiting[] = [];
  let unsettled = 0;
  let timer: CancelTimer | undefined;
  let writing: Promise<void> = Promise.resolve();

  function flush(): Promise<void> {
    timer?.();
    timer = undefined;
    writing = writing.then(async () => {
      while (waiting.length > 0) {
        const batch = waiting.slice(0, most);
        waiting = waiting.slice(most);
        for (const [tenant, group] of Map.groupBy(batch, ({ event }) => event.tenant)) await writeGroup(tenant, group);
      }
    });
    return writing;
  }

  async function writeGroup(tenant: string, group: readonly Waiting[]): Promise<void> {
    try {
      await write(
        tenant,
        group.map(({ event }) => event),
      );
      for (const { settle } of group) settle.resolve();
    } catch (error) {
      for (const { settle } of group) settle.reject(error);
    } finally {
      unsettled -= group.length;
    }
  }

  return {
    add(event) {
      const settle = Promise.withResolvers<void>();
      waiting.push({ event, settle });
      unsettled += 1;
      if (waiting.length >= most) void flush();
      else timer ??= clock.schedule(lingerMs, () => void flush());
      return settle.promise;
    },
    flush,
    size: () => unsettled,
  };
}
