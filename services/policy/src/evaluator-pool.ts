import type { BundleEvaluator } from "./bundle-evaluator.ts";
import type { PolicyBundle } from "./policy-bundle.ts";
import { PolicyUnavailableError } from "./policy-errors.ts";

/** The resident OPAs: at most `capacity`, one per tenant and bundle, the one least recently asked goes first. */
export interface EvaluatorPool {
  /**
   * Runs `work` with the evaluator of a bundle, starting it where it is not running. When OPA ends meanwhile it is started
   * again and `work` is run once more; it must have no effect but its result.
   *
   * @throws {PolicyUnavailableError} when that did not help either.
   */
  use<T>(tenant: string, bundle: PolicyBundle, work: (evaluator: BundleEvaluator) => Promise<T>): Promise<T>;
  /** Ends every OPA. Nothing can be asked afterwards. */
  close(): Promise<void>;
}

export interface EvaluatorPoolOptions {
  readonly capacity: number;
  readonly start: (bundle: PolicyBundle) => Promise<BundleEvaluator>;
}

interface Seat {
  readonly starting: Promise<BundleEvaluator>;
  users: number;
  retired: boolean;
}

export function createEvaluatorPool({ capacity, start }: EvaluatorPoolOptions): EvaluatorPool {
  /** In the order of last use: a Map keeps insertion order, so a used seat is put in again. */
  const seats = new Map<string, Seat>();
  const stopping = new Set<Promise<void>>();
  let closed = false;

  function take(key: string, bundle: PolicyBundle): Seat {
    const seat = seats.get(key) ?? { starting: start(bundle), users: 0, retired: false };
    seats.delete(key);
    seats.set(key, seat);
    seat.users += 1;
    for (const [other, { users }] of seats) {
      if (seats.size <= capacity) break;
      if (users === 0) retire(other);
    }
    return seat;
  }

  function retire(key: string): void {
    const seat = seats.get(key);
    if (seat === undefined) return;
    seats.delete(key);
    seat.retired = true;
    if (seat.users === 0) stop(seat);
  }

  function stop(seat: Seat): void {
    const done = seat.starting.then(
      (evaluator) => evaluator.server.stop(),
      () => undefined,
    );
    stopping.add(done);
    void done.finally(() => stopping.delete(done));
  }

  async function use<T>(
    tenant: string,
    bundle: PolicyBundle,
    work: (evaluator: BundleEvaluator) => Promise<T>,
  ): Promise<T> {
    const key = JSON.stringify([tenant, bundle.revision]);
    for (let retried = false; ; retried = true) {
      if (closed) throw new PolicyUnavailableError("the policy service is closed", { revision: bundle.revision });
      const seat = take(key, bundle);
      try {
        return await work(await seat.starting);
      } catch (error) {
        if (seats.get(key) === seat && (await hasEnded(seat))) retire(key);
        if (retried || !(error instanceof PolicyUnavailableError && error.askAgain)) throw error;
      } finally {
        seat.users -= 1;
        if (seat.retired && seat.users === 0) stop(seat);
      }
    }
  }

  async function close(): Promise<void> {
    closed = true;
    for (const key of [...seats.keys()]) retire(key);
    await Promise.all(stopping);
  }

  return { use, close };
}

async function hasEnded({ starting }: Seat): Promise<boolean> {
  const evaluator = await starting.catch(() => undefined);
  return evaluator === undefined || evaluator.server.ending() !== undefined;
}
