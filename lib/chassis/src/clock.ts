/**
 * The seam for time. Nothing that decides reads the wall clock or sets a timer itself: it is given a `Clock`, so that the
 * same code runs under a simulated one through months of schedules in a second.
 */
export interface Clock {
  now(): Date;
  /**
   * Calls `run` once: at a moment (`Date`) or after so many milliseconds (`number`). A moment in the past runs as soon as
   * possible, never synchronously. The result cancels; cancelling twice, or after the call, does nothing.
   */
  schedule(when: Date | number, run: () => void): CancelTimer;
}

export type CancelTimer = () => void;

/** Longest delay `setTimeout` holds; anything longer is waited for in pieces. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

export function createSystemClock(): Clock {
  return {
    now: () => new Date(),
    schedule(when, run) {
      const due = typeof when === "number" ? Date.now() + when : when.getTime();
      let timer = arm();
      function arm(): NodeJS.Timeout {
        const left = Math.max(0, due - Date.now());
        if (left <= LONGEST_TIMEOUT_MS) return setTimeout(run, left);
        return setTimeout(() => {
          timer = arm();
        }, LONGEST_TIMEOUT_MS);
      }
      return () => clearTimeout(timer);
    },
  };
}

/**
 * Waits on the given clock.
 *
 * @throws the signal's reason when it is aborted first.
 */
export async function pause(clock: Clock, milliseconds: number, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const abort = (): void => reject(signal?.reason);
  const cancel = clock.schedule(milliseconds, resolve);
  signal?.addEventListener("abort", abort, { once: true });
  try {
    await promise;
  } finally {
    cancel();
    signal?.removeEventListener("abort", abort);
  }
}
