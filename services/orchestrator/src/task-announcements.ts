import type { CancelTimer, Clock } from "@xcloudflow/chassis/clock";
import type { TaskAnnouncer } from "@xcloudflow/chassis/task-prompts";
import type { OrchestratorStore } from "./orchestrator-store.ts";

/** Tells workers of other machines which tasks wait for them, from the rows. */
export interface TaskAnnouncements {
  /** A task of the tenant has been queued. Returns at once. */
  wake(tenant: string): void;
  /** The bus has lost what it was told: every task that has not ended is told again. */
  again(): void;
  close(): Promise<void>;
}

export interface TaskAnnouncementsOptions {
  readonly store: Pick<OrchestratorStore, "transact" | "activeTenants">;
  readonly announcer: TaskAnnouncer;
  readonly clock: Clock;
  /** How often all tenants are looked at: what a lost wake-up costs. Milliseconds. */
  readonly period: number;
  readonly onError: (error: unknown) => void;
}

/** Announced at a time; the rest follows as these are taken. */
const MOST = 1_000;

/**
 * The rows are the queue and announcements a hint: each is made once by this process, and again only when the bus says that
 * it has lost them. Several replicas announce the same; the bus drops what it has.
 */
export function createTaskAnnouncements(options: TaskAnnouncementsOptions): TaskAnnouncements {
  const { store, announcer, clock, period, onError } = options;
  const announced = new Set<string>();
  /** Tenants whose running tasks have lost their prompts too. */
  const refilling = new Set<string>();
  const looking = new Map<string, { again: boolean; done: Promise<void> }>();
  let closed = false;
  let timer: CancelTimer = clock.schedule(period, lookAtAll);

  function wake(tenant: string): void {
    const current = looking.get(tenant);
    if (current !== undefined) current.again = true;
    if (current !== undefined || closed) return;
    const entry = { again: false, done: Promise.resolve() };
    looking.set(tenant, entry);
    entry.done = (async () => {
      do {
        entry.again = false;
        await announce(tenant).catch(onError);
      } while (entry.again && !closed);
      looking.delete(tenant);
    })();
  }

  async function announce(tenant: string): Promise<void> {
    const tasks = await store.transact(tenant, "list-tasks-to-announce", (tx) => tx.unfinishedTasks(MOST));
    const all = refilling.delete(tenant);
    for (const { id, attempt, engine, pool, status } of tasks) {
      const key = `${tenant} ${id} ${attempt}`;
      // A task that somebody works on has had its prompt.
      if (announced.has(key) || (status !== "queued" && !all)) continue;
      await announcer.announceTask({ tenant, task: id, attempt, engine, pool });
      announced.add(key);
    }
    // What is not on the list has ended.
    if (tasks.length < MOST) forget(tenant, new Set(tasks.map(({ id, attempt }) => `${tenant} ${id} ${attempt}`)));
  }

  function forget(tenant: string, kept: ReadonlySet<string>): void {
    for (const key of announced) if (key.startsWith(`${tenant} `) && !kept.has(key)) announced.delete(key);
  }

  function lookAtAll(): void {
    void eachTenant(wake).finally(() => {
      if (!closed) timer = clock.schedule(period, lookAtAll);
    });
  }

  async function eachTenant(tell: (tenant: string) => void): Promise<void> {
    try {
      for (const tenant of await store.activeTenants()) tell(tenant);
    } catch (error) {
      onError(error);
    }
  }

  return {
    wake,
    again() {
      announced.clear();
      void eachTenant((tenant) => {
        refilling.add(tenant);
        wake(tenant);
      });
    },
    async close() {
      closed = true;
      timer();
      await Promise.all([...looking.values()].map(({ done }) => done));
    },
  };
}
