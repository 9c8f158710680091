import type { Clock } from "@xcloudflow/chassis/clock";
import type { Signals } from "./orchestrator-context.ts";

/**
 * @param drive what wakes the driver of a run.
 * @param offer what tells workers that wait elsewhere.
 */
export function createSignals(clock: Clock, drive: Signals["drive"], offer: Signals["offer"]): Signals {
  const waiting = new Map<string, Set<() => void>>();
  const followers = new Map<string, Set<(detail: readonly string[] | undefined) => void>>();
  return {
    drive,
    offer,
    follow(topic, listener) {
      const known = followers.get(topic) ?? new Set();
      followers.set(topic, known.add(listener));
      return () => {
        known.delete(listener);
        if (known.size === 0 && followers.get(topic) === known) followers.delete(topic);
      };
    },
    raise(topic, detail) {
      for (const follower of followers.get(topic) ?? []) follower(detail);
      const listeners = waiting.get(topic);
      waiting.delete(topic);
      for (const listener of listeners ?? []) listener();
    },
    wait(topic, milliseconds, signal) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const listeners = waiting.get(topic) ?? new Set();
      waiting.set(topic, listeners);
      const cancelTimer = clock.schedule(milliseconds, done);
      signal?.addEventListener("abort", done, { once: true });
      if (signal?.aborted === true) done();
      listeners.add(done);
      function done(): void {
        cancelTimer();
        listeners.delete(done);
        signal?.removeEventListener("abort", done);
        resolve();
      }
      return promise;
    },
  };
}
