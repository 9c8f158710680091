import type { Clock } from "./clock.ts";

/** A clock that only moves when told to; timers due at the same moment run in the order they were set. */
export interface SimulatedClock extends Clock {
  /** Moves time forward and runs every timer that falls due on the way, each at its own moment. */
  advance(milliseconds: number): void;
  /** Jumps to the next timer and runs it; false when there is none. */
  runNext(): boolean;
  /** When the next timer is due. */
  nextDue(): Date | undefined;
}

interface Timer {
  readonly due: number;
  readonly order: number;
  readonly run: () => void;
}

export function createSimulatedClock(start: Date = new Date("2026-01-01T00:00:00.000Z")): SimulatedClock {
  let now = start.getTime();
  let order = 0;
  const timers = new Set<Timer>();

  function next(): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of timers) {
      if (first === undefined || timer.due < first.due || (timer.due === first.due && timer.order < first.order))
        first = timer;
    }
    return first;
  }

  function fire(timer: Timer): void {
    timers.delete(timer);
    now = Math.max(now, timer.due);
    timer.run();
  }

  return {
    now: () => new Date(now),
    schedule(when, run) {
      const timer: Timer = {
        due: typeof when === "number" ? now + Math.max(0, when) : when.getTime(),
        order: order++,
        run,
      };
      timers.add(timer);
      return () => {
        timers.delete(timer);
      };
    },
    advance(milliseconds) {
      const end = now + milliseconds;
      for (let timer = next(); timer !== undefined && timer.due <= end; timer = next()) fire(timer);
      now = end;
    },
    runNext() {
      const timer = next();
      if (timer === undefined) return false;
      fire(timer);
      return true;
    },
    nextDue() {
      const timer = next();
      return timer && new Date(timer.due);
    },
  };
}
