import type { Clock } from "@xcloudflow/chassis/clock";
import type { OrchestratorClient } from "./worker-clients.ts";

/** A running attempt as the lease keeper sees it. */
export interface LeasedAttempt {
  readonly task: string;
  readonly attempt: number;
  /** Lines and progress since last time; handed out once. */
  takeNews(): AttemptNews;
  hasNews(): boolean;
  /** The run was canceled: end cleanly. May be called more than once. */
  cancel(): void;
  /** The lease is lost, or will be before it can be renewed: kill now. */
  lose(why: string): void;
}

export interface AttemptNews {
  readonly lines: readonly { readonly time: string; readonly stream: string; readonly text: string }[];
  readonly progress: readonly { readonly resource: string; readonly action: string; readonly message: string }[];
}

/**
 * Renews the leases of all attempts of a worker in one call, and kills an attempt whose lease runs out unrenewed, some
 * time before it does: from then on another attempt may start elsewhere.
 */
export interface LeaseKeeper {
  hold(attempt: LeasedAttempt, leaseExpiresAt: Date): void;
  release(task: string): void;
  close(): void;
}

export interface LeaseKeeperOptions {
  readonly worker: string;
  readonly orchestrator: OrchestratorClient;
  readonly clock: Clock;
  /** How often it looks for news to send and leases to renew. */
  readonly tickMilliseconds: number;
  /** Longest silence: how late a cancel may be heard of. */
  readonly heartbeatMilliseconds: number;
}

interface Held {
  readonly attempt: LeasedAttempt;
  leaseExpiresAt: number;
  renewAt: number;
  killAt: number;
}

export function createLeaseKeeper({
  worker,
  orchestrator,
  clock,
  tickMilliseconds,
  heartbeatMilliseconds,
}: LeaseKeeperOptions): LeaseKeeper {
  const held = new Map<string, Held>();
  let cancelTick: (() => void) | undefined;
  let beating = false;

  function renewed(entry: Held, expiresAt: number): void {
    const now = clock.now().getTime();
    const left = Math.max(0, expiresAt - now);
    entry.leaseExpiresAt = expiresAt;
    entry.renewAt = now + Math.min(left / 3, heartbeatMilliseconds);
    // A fifth of the lease, at most 5 s, is left for the kill to happen before anybody else may begin.
    entry.killAt = expiresAt - Math.min(left / 5, 5_000);
  }

  function schedule(): void {
    if (cancelTick !== undefined || held.size === 0) return;
    cancelTick = clock.schedule(tickMilliseconds, () => {
      cancelTick = undefined;
      tick();
      schedule();
    });
  }

  function tick(): void {
    const now = clock.now().getTime();
    for (const [task, entry] of held) {
      if (now < entry.killAt) continue;
      held.delete(task);
      entry.attempt.lose("its lease could not be renewed in time");
    }
    const entries = [...held.values()];
    if (beating || !entries.some((entry) => now >= entry.renewAt || entry.attempt.hasNews())) return;
    beating = true;
    void beat(entries).finally(() => {
      beating = false;
    });
  }

  async function beat(entries: readonly Held[]): Promise<void> {
    const attempts = entries.map(({ attempt }) => {
      const { lines, progress } = attempt.takeNews();
      return { task: attempt.task, attempt: BigInt(attempt.attempt), lines: [...lines], progress: [...progress] };
    });
    try {
      const { verdicts } = await orchestrator.heartbeat({ worker, attempts }, { timeoutMs: 10_000 });
      for (const { task, verdict, leaseExpiresAt } of verdicts) {
        const entry = held.get(task);
        if (entry === undefined) continue;
        if (verdict === "lost") {
          held.delete(task);
          entry.attempt.lose("another attempt has taken over");
          continue;
        }
        renewed(entry, Date.parse(leaseExpiresAt));
        if (verdict === "cancel") entry.attempt.cancel();
      }
    } catch {
      // Not reachable now: the next tick tries again until `killAt`; what the failed call carried is lost to the live
      // display only, the attempt's result says how it ended.
    }
  }

  return {
    hold(attempt, leaseExpiresAt) {
      const entry: Held = { attempt, leaseExpiresAt: 0, renewAt: 0, killAt: 0 };
      renewed(entry, leaseExpiresAt.getTime());
      held.set(attempt.task, entry);
      schedule();
    },
    release: (task) => void held.delete(task),
    close() {
      cancelTick?.();
      cancelTick = undefined;
      held.clear();
    },
  };
}
