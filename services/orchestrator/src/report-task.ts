import { CodedError } from "@xcloudflow/model/coded-error";
import type { TaskResult } from "@xcloudflow/model/task-result";
import type { LogLine, Progress } from "@xcloudflow/proto/runner/v1/runner_pb";
import type { Change, Command } from "./decision.ts";
import type { OrchestratorContext } from "./orchestrator-context.ts";
import { attemptsUnknown, lateReports, leasesLost, stepDuration } from "./orchestrator-metrics.ts";
import type { OrchestratorTransaction } from "./orchestrator-store.ts";
import { performCommands } from "./perform-commands.ts";
import {
  expireLease,
  type HeartbeatVerdict,
  hasEffects,
  MAX_UNKNOWN,
  type ReportView,
  renewLease,
  reportTask,
} from "./task-decision.ts";

/** Thrown when a worker reports an attempt that is not its own any more. Its result is evidence and decides nothing. */
export class LeaseLostError extends CodedError {
  constructor(task: string, attempt: number) {
    super("LEASE_LOST", "stale", {
      where: `${task} attempt ${attempt}`,
      what: "the lease was lost before the attempt ended",
      hint: "the attempt's outcome is inspected by its successor",
    });
  }
}

export interface AttemptReport {
  readonly worker: string;
  readonly task: string;
  readonly attempt: number;
  readonly result: TaskResult;
  readonly lines: readonly LogLine[];
}

/**
 * Ends an attempt.
 *
 * @throws {LeaseLostError} when somebody else decides about the task now.
 */
export async function acceptReport(context: OrchestratorContext, tenant: string, report: AttemptReport): Promise<void> {
  let measured: Measured | undefined;
  const commands = await context.store.transact(tenant, "report-task", async (tx) => {
    measured = undefined;
    const view = await loadView(tx, report.task, report.attempt, mayFail(report.result));
    if (view === undefined) throw refuseLate(report);
    if (view.attempt.endedAt !== null && view.attempt.outcome !== "unknown" && view.attempt.worker === report.worker)
      return [];
    const { task } = view;
    if (task.status !== "leased" || task.attempt !== report.attempt || task.worker !== report.worker)
      throw refuseLate(report);
    const logged = logLines(view, report.lines, [], context.clock.now().toISOString());
    const decision = reportTask(
      { ...view, run: logged.run },
      report.result,
      context.clock.now().toISOString(),
      context.random.float(),
    );
    await tx.write([...logged.changes, ...decision.changes]);
    measured = { task, attempt: view.attempt };
    return decision.commands;
  });
  if (measured !== undefined) countAttempt(context, measured, report.result.kind);
  performCommands(context, tenant, commands);
}

/**
 * Ends an attempt whose result cannot be read. What only reads is tried again, by a worker of another version perhaps; what
 * may have changed the world keeps its lease to the end, and is inspected then.
 */
export async function acceptUnreadableReport(
  context: OrchestratorContext,
  tenant: string,
  report: Omit<AttemptReport, "result">,
  reason: string,
): Promise<void> {
  const task = await context.store.transact(tenant, "look-at-reported-task", (tx) => tx.peekTask(report.task));
  if (task === undefined || hasEffects(task.kind)) return;
  const failure = {
    code: "RESULT_UNREADABLE",
    message: `the result of worker ${report.worker} cannot be read: ${reason}`,
    hint: "run workers and services of the same version",
  };
  await acceptReport(context, tenant, {
    ...report,
    result: { kind: "failed", failure, effects: "none", retryable: true },
  });
}

function refuseLate({ task, attempt }: AttemptReport): LeaseLostError {
  lateReports.add(1);
  return new LeaseLostError(task, attempt);
}

type Measured = Pick<ReportView, "task" | "attempt">;

function countAttempt(context: OrchestratorContext, { task, attempt }: Measured, outcome: string): void {
  const seconds = (context.clock.now().getTime() - Date.parse(attempt.claimedAt)) / 1_000;
  stepDuration.record(Math.max(0, seconds), { engine: task.engine, kind: task.kind, outcome });
}

function countLost(context: OrchestratorContext, measured: Measured): void {
  const { engine, kind } = measured.task;
  countAttempt(context, measured, "lost");
  leasesLost.add(1, { engine, kind });
  if (hasEffects(kind)) attemptsUnknown.add(1, { engine, kind });
}

/** The run is locked before its task. All steps and edges are read only where a failure could skip some of them. */
async function loadView(
  tx: OrchestratorTransaction,
  taskId: string,
  attempt: number | "current",
  whole: boolean,
): Promise<ReportView | undefined> {
  const run = await tx.lockRunOfTask(taskId);
  const task = run === undefined ? undefined : await tx.task(taskId);
  if (run === undefined || task === undefined) return undefined;
  const row = await tx.attempt(task.id, attempt === "current" ? task.attempt : attempt);
  const { step, after } = await tx.stepAndAfter(task.run, task.unit);
  if (step === undefined || row === undefined) return undefined;
  const rest = whole ? { all: await tx.steps(task.run), edges: await tx.edges(task.run) } : { all: [], edges: [] };
  return { run, step, task, attempt: row, after, ...rest };
}

function mayFail(result: TaskResult): boolean {
  return (
    result.kind === "failed" ||
    result.kind === "canceled" ||
    result.kind === "released" ||
    (result.kind === "planned" && result.plan.status === "failed")
  );
}

export interface BeatingAttempt {
  readonly task: string;
  readonly attempt: number;
  readonly lines: readonly LogLine[];
  readonly progress: readonly Progress[];
}

/** Renews one lease and keeps what the engine has said meanwhile. */
export async function acceptHeartbeat(
  context: OrchestratorContext,
  tenant: string,
  worker: string,
  beat: BeatingAttempt,
): Promise<{ verdict: HeartbeatVerdict; leaseExpiresAt: string }> {
  const now = context.clock.now();
  const leaseExpiresAt = new Date(now.getTime() + context.timing.lease).toISOString();
  const result = await context.store.transact(tenant, "heartbeat", async (tx) => {
    const speaks = beat.lines.length > 0 || beat.progress.length > 0;
    const run = speaks ? await tx.lockRunOfTask(beat.task) : undefined;
    const task = await tx.task(beat.task);
    const decision = renewLease(task, worker, beat.attempt, now.toISOString(), leaseExpiresAt);
    const logged =
      run === undefined || task === undefined || decision.verdict === "lost"
        ? { changes: [] }
        : logLines({ run, task }, beat.lines, beat.progress, now.toISOString());
    await tx.write([...decision.changes, ...logged.changes]);
    return { verdict: decision.verdict, run: logged.changes.length > 0 ? run?.id : undefined };
  });
  if (result.verdict === "lost") lateReports.add(1);
  if (result.run !== undefined) performCommands(context, tenant, [{ kind: "notify", run: result.run, units: [] }]);
  return { verdict: result.verdict, leaseExpiresAt };
}

/** Log lines and progress become updates of the run, in the order in which they arrive. */
function logLines<T extends Pick<ReportView, "run" | "task">>(
  { run, task }: T,
  lines: readonly LogLine[],
  progress: readonly Progress[],
  now: string,
): { run: T["run"]; changes: Change[] } {
  if (lines.length === 0 && progress.length === 0) return { run, changes: [] };
  let { sequence } = run;
  const changes: Change[] = [];
  for (const { time, stream, text } of lines)
    changes.push({
      put: "runUpdate",
      row: {
        run: run.id,
        sequence: ++sequence,
        time,
        kind: "log",
        document: JSON.stringify({ unit: task.unit, time, stream, text }),
      },
    });
  for (const { resource, action, message } of progress)
    changes.push({
      put: "runUpdate",
      row: {
        run: run.id,
        sequence: ++sequence,
        time: now,
        kind: "progress",
        document: JSON.stringify({ unit: task.unit, resource, action, message }),
      },
    });
  const logged = { ...run, sequence };
  return { run: logged, changes: [{ put: "run", row: logged }, ...changes] };
}

/** Gives up attempts whose lease ended before `before`. Embedded, at start: everything, since no other worker can live. */
export async function sweepLeases(context: OrchestratorContext, tenant: string, before: string): Promise<void> {
  const expired = await context.store.transact(tenant, "find-expired-leases", (tx) => tx.expiredTasks({ before }));
  for (const { id } of expired) {
    let lost: Measured | undefined;
    const commands = await context.store.transact(tenant, "expire-lease", async (tx): Promise<readonly Command[]> => {
      lost = undefined;
      const view = await loadView(tx, id, "current", true);
      if (view?.task.status !== "leased" || (view.task.leaseExpiresAt ?? "") >= before) return [];
      const unknown = (await tx.attempts(view.task.unit, MAX_UNKNOWN * 4)).filter(
        ({ run, outcome }) => run === view.run.id && outcome === "unknown",
      );
      const decision = expireLease(view, context.clock.now().toISOString(), unknown.length);
      await tx.write(decision.changes);
      lost = { task: view.task, attempt: view.attempt };
      return decision.commands;
    });
    if (lost !== undefined) countLost(context, lost);
    performCommands(context, tenant, commands);
  }
}
