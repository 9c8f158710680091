import { join } from "node:path";
import { Code, ConnectError } from "@connectrpc/connect";
import { type Clock, pause } from "@xcloudflow/chassis/clock";
import type { Logger } from "@xcloudflow/chassis/logger";
import type { TaskPrompts } from "@xcloudflow/chassis/task-prompts";
import { inTraceOf } from "@xcloudflow/chassis/tracing";
import { CodedError } from "@xcloudflow/model/coded-error";
import { decodeDocument, encodeDocument } from "@xcloudflow/model/parse-json";
import type { TaskResult } from "@xcloudflow/model/task-result";
import { type TaskSpec, taskSpecSchema } from "@xcloudflow/model/task-spec";
import type { Assignment } from "@xcloudflow/proto/runner/v1/runner_pb";
import { createArchiveCache } from "./artefact-transfer.ts";
import { createNewsBuffer } from "./attempt-news.ts";
import { traceAttempt } from "./attempt-tracing.ts";
import type { Engine } from "./engine.ts";
import {
  AttemptCanceledError,
  AttemptLostError,
  AttemptTimedOutError,
  EngineMissingError,
  WorkerEndingError,
} from "./engine-errors.ts";
import type { StopTimes } from "./engine-process-cli.ts";
import { createEngineSpawner } from "./engine-spawner-cli.ts";
import type { ConfinedAttempt, EngineIsolation } from "./isolation.ts";
import { createLeaseKeeper } from "./lease-keeper.ts";
import { performTask } from "./perform-task.ts";
import { recoverLeftState } from "./recover-left-state.ts";
import { observeWorker } from "./runner-metrics.ts";
import { abandonScratch, createScratchRoot, type ScratchDirectory } from "./scratch-directory.ts";
import { type TaskClaimsOptions, takeTask } from "./task-claims.ts";
import { createAttempt } from "./worker-attempt.ts";
import type { WorkerClients } from "./worker-clients.ts";

export interface WorkerOptions {
  /** Clients whose calls are made for one tenant. */
  readonly clientsOf: (tenant: string) => WorkerClients;
  /** Whose tasks it takes; `*`: everybody's, where its identity allows that. */
  readonly tenant: string;
  /** Unique among running workers; the orchestrator's rows name it. */
  readonly name: string;
  readonly engines: readonly Engine[];
  /** Which tasks it takes: `plan`, `apply`; empty for any. */
  readonly pool?: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** For attempts; mode 0700, on a disk of its own size. Not shared by workers of several machines. */
  readonly scratchRoot: string;
  /** For module archives; what is in it may be deleted at any time while no worker runs. */
  readonly cacheRoot: string;
  /** Where the state service serves the Terraform HTTP backend: `http://127.0.0.1:4711`. */
  readonly stateHttpAddress: string;
  /** Tasks at a time. */
  readonly concurrency: number;
  /** Tasks in all; then it takes no more. For a process a task. */
  readonly taskLimit?: number;
  /** The clean base environment of every engine: see `engineEnvironment`. */
  readonly environment: Readonly<Record<string, string>>;
  /** Keeps engines apart from the worker; without it they have the worker's own rights. */
  readonly isolation?: EngineIsolation;
  /** Between interrupt, terminate and kill, in milliseconds. Default 60 s and 10 s. */
  readonly stopTimes?: StopTimes;
  /** How long an engine of a dead worker gets to write down what it did, in milliseconds. Default 20 s. */
  readonly leftoverGrace?: number;
  /** How long one claim waits for a task, in seconds. Default 20. */
  readonly claimWaitSeconds?: number;
  /** Where a bus tells of tasks: a claim is made when it does, and once in a while all the same. */
  readonly prompts?: TaskPrompts;
  /** How often news are sent, in milliseconds. Default 500. */
  readonly tickMilliseconds?: number;
  /** Longest time between two heartbeats of a running task, in milliseconds: how late a cancel is heard of. Default 3 s. */
  readonly heartbeatMilliseconds?: number;
}

export interface Worker {
  /** Tasks being worked on now. */
  readonly busy: number;
  /** Resolves when it takes no more tasks and has none: after `taskLimit` tasks, or when it was closed. */
  readonly ended: Promise<void>;
  /** Takes no more tasks. Resolves when running ones have ended and are reported. */
  close(options?: CloseOptions): Promise<void>;
}

export interface CloseOptions {
  /** Running tasks are asked to end now, and count as canceled. */
  readonly cancel?: boolean;
  /** Running tasks get so long; then they are asked to end, and go back to the queue for other workers. */
  readonly drainMilliseconds?: number;
}

/** Starts a worker: it claims tasks for its engines and works on them until it is closed. */
export function createWorker(options: WorkerOptions): Worker {
  const { clock, logger } = options;
  const clientsOf = memoize(options.clientsOf);
  const engines = new Map(options.engines.map((engine) => [engine.name, engine]));
  const scratchRoot = createScratchRoot(options.scratchRoot, options.leftoverGrace ?? 20_000);
  const archivesOf = memoize((tenant) =>
    createArchiveCache(clientsOf(tenant).state, join(options.cacheRoot, "archives", tenant)),
  );
  const leasesOf = memoize((tenant) =>
    createLeaseKeeper({
      worker: options.name,
      orchestrator: clientsOf(tenant).orchestrator,
      clock,
      tickMilliseconds: options.tickMilliseconds ?? 500,
      heartbeatMilliseconds: options.heartbeatMilliseconds ?? 3_000,
    }),
  );
  const stopTimes = options.stopTimes ?? { afterInterrupt: 60_000, afterTerminate: 10_000 };
  const spawner = createEngineSpawner();
  const redactionKeys = new Map<string, Promise<Uint8Array>>();
  const closing = new AbortController();
  const running = new Set<AbortController>();
  /** Why what still begins, claimed at the last moment, must end at once. */
  let stopped: (() => Error) | undefined;

  async function work(assignment: Assignment): Promise<void> {
    const number = Number(assignment.attempt);
    const ending = new AbortController();
    const news = createNewsBuffer(clock);
    let spec: TaskSpec;
    try {
      spec = decodeDocument(taskSpecSchema, assignment.specDocument, `task ${assignment.task}`);
    } catch (error) {
      logger.error("a task cannot be read", { task: assignment.task, unit: assignment.unit, error });
      return await report(assignment.tenant || options.tenant, assignment, unreadable(error), news);
    }
    const leases = leasesOf(spec.tenant);
    running.add(ending);
    if (stopped !== undefined) ending.abort(stopped());
    leases.hold(
      {
        task: assignment.task,
        attempt: number,
        takeNews: () => news.take(),
        hasNews: () => !news.isEmpty(),
        cancel: () => ending.abort(new AttemptCanceledError("possible")),
        lose: (why) => {
          logger.warn("attempt lost", { task: assignment.task, unit: assignment.unit, attempt: number, why });
          ending.abort(new AttemptLostError(why));
          lost = true;
        },
      },
      new Date(assignment.leaseExpiresAt),
    );
    let lost = false;
    try {
      await inTraceOf(spec.traceparent, () =>
        traceAttempt(assignment, spec, async () => {
          const result = await attemptTask(assignment, spec, ending, news);
          if (!lost) await report(spec.tenant, assignment, result, news);
          return result;
        }),
      );
    } catch (error) {
      logger.error("attempt ended without a result", { task: assignment.task, unit: assignment.unit, error });
      if (!lost) await report(spec.tenant, assignment, failedBeforeStart(error), news);
    } finally {
      leases.release(assignment.task);
      running.delete(ending);
    }
  }

  async function attemptTask(
    assignment: Assignment,
    spec: TaskSpec,
    ending: AbortController,
    news: ReturnType<typeof createNewsBuffer>,
  ): Promise<TaskResult> {
    const engine = engines.get(spec.engine);
    if (engine === undefined)
      throw new EngineMissingError(spec.engine, "start a worker that has it; `xcf doctor` lists what is found");
    const number = Number(assignment.attempt);
    const recovery = {
      state: clientsOf(spec.tenant).state,
      attemptToken: assignment.attemptToken,
      unit: spec.address,
      engine,
      logger,
    };
    let recovered = false;
    const scratch = await scratchRoot.take(
      { tenant: spec.tenant, unit: spec.address, task: assignment.task, attempt: number },
      async (leftover) => {
        await options.isolation?.endLeftover(leftover.path);
        recovered = (await recoverLeftState(leftover, recovery)) || recovered;
      },
    );
    const stopTimer = clock.schedule(spec.timeoutSeconds * 1000, () =>
      ending.abort(new AttemptTimedOutError(spec.timeoutSeconds)),
    );
    let confined: ConfinedAttempt | undefined;
    try {
      confined = await options.isolation?.confine(scratch.path);
      const attempt = createAttempt({
        spec,
        number,
        clock,
        attemptToken: assignment.attemptToken,
        clients: clientsOf(spec.tenant),
        archives: archivesOf(spec.tenant),
        scratch,
        signal: ending.signal,
        stateHttpAddress: options.stateHttpAddress,
        environment: options.environment,
        stopTimes: (reason) => (reason instanceof WorkerEndingError ? ENDING_STOP_TIMES : stopTimes),
        spawner,
        confined,
        redactionKeys,
        onLog: (stream, text) => news.log(stream, text),
        onProgress: (resource, action, message) => news.progress(resource, action, message),
      });
      return await performTask(engine, attempt, recovered);
    } finally {
      stopTimer();
      await confined
        ?.release()
        .catch((error: unknown) =>
          logger.error("an engine's user could not be taken back", { path: scratch.path, error }),
        );
      await leaveScratch(scratch, number, recovery);
    }
  }

  /** What could not be stored while the engine ran is tried again once; else it stays for the unit's next attempt. */
  async function leaveScratch(
    scratch: ScratchDirectory,
    attempt: number,
    recovery: Parameters<typeof recoverLeftState>[1],
  ): Promise<void> {
    try {
      const leftover = { path: scratch.path, record: { attempt }, remove: () => scratch.remove() };
      await recoverLeftState(leftover, recovery);
    } catch (error) {
      logger.error("engine state is kept in scratch", { path: scratch.path, unit: recovery.unit, error });
      abandonScratch(scratch);
    }
  }

  async function report(
    tenant: string,
    assignment: Assignment,
    result: TaskResult,
    news: ReturnType<typeof createNewsBuffer>,
  ): Promise<void> {
    const { task, attempt } = assignment;
    const request = {
      worker: options.name,
      task,
      attempt,
      resultDocument: encodeDocument(result),
      lines: [...news.take().lines],
    };
    for (let tries = 0; ; tries += 1) {
      try {
        await clientsOf(tenant).orchestrator.reportTask(request);
        return;
      } catch (error) {
        if (isFinal(error)) {
          logger.warn("result was not wanted", { task, unit: assignment.unit, error });
          return;
        }
        if (tries >= REPORT_TRIES) {
          logger.error("result could not be reported", { task, unit: assignment.unit, error });
          return;
        }
        await pause(clock, retryDelay(tries));
      }
    }
  }

  const claims: TaskClaimsOptions = {
    worker: options.name,
    engines: options.engines,
    pool: options.pool ?? "",
    tenant: options.tenant,
    orchestratorOf: (tenant) => clientsOf(tenant).orchestrator,
    prompts: options.prompts,
    waitSeconds: options.claimWaitSeconds ?? 20,
    clock,
    closing: closing.signal,
    work,
  };

  async function slot(limit: number): Promise<void> {
    let failures = 0;
    for (let tasks = 0; tasks < limit && !closing.signal.aborted; ) {
      try {
        if (await takeTask(claims)) tasks += 1;
        failures = 0;
      } catch (error) {
        if (closing.signal.aborted) return;
        failures += 1;
        // Said at the first failure and then ever more seldom: a control plane that is away is away for all workers.
        if (Number.isInteger(Math.log2(failures)))
          logger.warn("claiming a task failed", { worker: options.name, failures, error: messageOf(error) });
        await pause(clock, retryDelay(failures), closing.signal).catch(() => undefined);
      }
    }
  }

  const swept = scratchRoot
    .sweep(async (path) => {
      await options.isolation?.endLeftover(path);
      return (await Promise.all(options.engines.map((engine) => engine.findLeftState?.(path)))).some(
        (found) => found !== undefined,
      );
    })
    .catch((error: unknown) =>
      logger.error("old scratch directories could not be cleaned", { path: options.scratchRoot, error }),
    );
  const { concurrency, taskLimit = Number.POSITIVE_INFINITY } = options;
  // Each slot has its share from the start, so that no two can take the last task at once.
  const shares = Array.from({ length: concurrency }, (_, index) => Math.ceil((taskLimit - index) / concurrency));
  const slots = shares.map((share) => slot(share));
  const stopObserving = observeWorker(() => ({ busy: running.size, slots: slots.length }));

  return {
    get busy() {
      return running.size;
    },
    ended: Promise.all(slots).then(() => undefined),
    async close({ cancel = false, drainMilliseconds } = {}) {
      closing.abort();
      stopObserving();
      const stop = (why: () => Error): void => {
        stopped = why;
        for (const ending of running) ending.abort(why());
      };
      if (cancel) stop(() => new AttemptCanceledError("possible"));
      const drained =
        drainMilliseconds === undefined
          ? undefined
          : clock.schedule(drainMilliseconds, () => stop(() => new WorkerEndingError()));
      await Promise.all([...slots, swept]);
      drained?.();
      await scratchRoot.drain();
      for (const leases of leasesOf.made()) leases.close();
      spawner.close();
    },
  };
}

const REPORT_TRIES = 20;
/** Whoever ends the worker will not wait long after the drain: the result must still be reported. */
const ENDING_STOP_TIMES: StopTimes = { afterInterrupt: 15_000, afterTerminate: 5_000 };

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** 0.1 s, doubling up to 5 s. */
function retryDelay(failures: number): number {
  return Math.min(5_000, 100 * 2 ** Math.min(failures, 10));
}

/** The attempt has ended for the orchestrator, or it will never take this report. */
function isFinal(error: unknown): boolean {
  const { code } = ConnectError.from(error);
  return (
    code === Code.FailedPrecondition ||
    code === Code.NotFound ||
    code === Code.InvalidArgument ||
    code === Code.PermissionDenied
  );
}

function failedBeforeStart(error: unknown): TaskResult {
  const missing = error instanceof EngineMissingError;
  return {
    kind: "failed",
    failure: missing
      ? { code: error.code, message: error.what, ...(error.hint === undefined ? {} : { hint: error.hint }) }
      : { code: "RUNNER_FAILED", message: error instanceof Error ? error.message : String(error) },
    effects: "none",
    retryable: !missing,
  };
}

/** A newer orchestrator's task, perhaps: another worker may be able to read it. */
function unreadable(error: unknown): TaskResult {
  const failure = {
    code: "TASK_UNREADABLE",
    message: error instanceof CodedError ? error.message : String(error),
    hint: "run workers and services of the same version",
  };
  return { kind: "failed", failure, effects: "none", retryable: true };
}

/** One of each, made when it is first asked for. */
function memoize<T>(make: (key: string) => T): ((key: string) => T) & { made(): Iterable<T> } {
  const known = new Map<string, T>();
  const get = (key: string): T => {
    const found = known.get(key) ?? make(key);
    known.set(key, found);
    return found;
  };
  return Object.assign(get, { made: () => known.values() });
}
