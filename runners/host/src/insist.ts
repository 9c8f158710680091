import { type Clock, pause } from "@xcloudflow/chassis/clock";
import { CodedError } from "@xcloudflow/model/coded-error";
import { EngineFailedError, EngineMissingError } from "./engine-errors.ts";

export interface Insistence {
  readonly clock: Clock;
  /** Ends the waiting: the attempt was canceled, or its lease is lost. */
  readonly signal: AbortSignal;
  /** How long somebody who is away is asked again, in milliseconds. */
  readonly patience: number;
}

/** Longer than a service and its database take to come back, shorter than people take to look. */
export const PATIENCE_MS = 60_000;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 2_000;

/**
 * Asks a service again while it is away: an attempt that gives up after its engine has changed something leaves people
 * with a question that a moment would have answered. `ask` must be safe to repeat.
 *
 * @throws what `ask` threw last.
 */
export async function insist<T>({ clock, signal, patience }: Insistence, ask: () => Promise<T>): Promise<T> {
  const deadline = clock.now().getTime() + patience;
  for (let wait = FIRST_PAUSE_MS; ; wait = Math.min(2 * wait, LONGEST_PAUSE_MS)) {
    try {
      return await ask();
    } catch (error) {
      if (!isAway(error) || signal.aborted || clock.now().getTime() + wait > deadline) throw error;
      await pause(clock, wait, signal);
    }
  }
}

/** Nobody answered. What an engine says of its own surroundings is for the task's next try. */
export function isAway(error: unknown): boolean {
  if (!(error instanceof CodedError) || error instanceof EngineMissingError) return false;
  if (error instanceof EngineFailedError) return error.category === "unavailable" && error.retryable;
  return error.category === "unavailable" || error.category === "timeout";
}
