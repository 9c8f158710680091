import { setTimeout as pause } from "node:timers/promises";

/** The first answer that `accept` takes; asks again until then. */
export async function poll<T>(ask: () => Promise<T>, accept: (answer: T) => boolean, withinMs = 10_000): Promise<T> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    const answer = await ask();
    if (accept(answer)) return answer;
    if (Date.now() > deadline) throw new Error(`still ${JSON.stringify(answer)} after ${withinMs} ms`);
    await pause(20);
  }
}
