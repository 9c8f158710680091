import type { TaskResult } from "@xcloudflow/model/task-result";
import type { TaskKind } from "@xcloudflow/model/task-spec";
import { type Change, type Decision, NOTHING } from "./decision.ts";
import { draftEvent } from "./orchestrator-events.ts";
import type { AttemptRow, RunRow, StepEdgeRow, StepRow, TaskRow } from "./rows.ts";
import { endStep, succeedStep } from "./step-decision.ts";
import { taskQueued } from "./task-specs.ts";

/** Tries of one task before a safe failure counts as a failure. */
export const MAX_TRIES = 3;
/** Lost attempts of a task without effects (plans, verifications) before the step fails. */
export const MAX_LOST = 5;
/** Attempts of unknown outcome at one unit in one run before its step fails: something about it ends its workers. */
export const MAX_UNKNOWN = 10;

/** An apply may have changed the world; everything else only reads it. */
export function hasEffects(kind: TaskKind): boolean {
  return kind === "apply" || kind === "restore";
}

/** Only attempts that write raise the fence in other services: a plan must not cut off a running apply. */
export function raisesFence(kind: TaskKind): boolean {
  return hasEffects(kind) || kind === "inspect";
}

/** Exponential backoff from 2 s, capped at 60 s, with `jitter` in [0, 1) spreading the second half. */
export function backoffMilliseconds(tries: number, jitter: number): number {
  const ceiling = Math.min(60_000, 2_000 * 2 ** Math.max(0, tries - 1));
  return ceiling / 2 + (ceiling / 2) * jitter;
}

/** Leases the task to a worker as attempt `attempt` of its unit, which the unit's fence says already. Touches no run or step, so that claims never wait for them. */
export function claimTask(
  task: TaskRow,
  attempt: number,
  worker: string,
  now: string,
  leaseExpiresAt: string,
): Decision {
  return {
    changes: [
      { put: "task", row: { ...task, status: "leased", worker, attempt, tries: task.tries + 1, leaseExpiresAt } },
      {
        put: "attempt",
        row: {
          task: task.id,
          attempt,
          unit: task.unit,
          run: task.run,
          worker,
          claimedAt: now,
          endedAt: null,
          outcome: "running",
          detail: null,
        },
      },
      draftEvent("attempt", "started", task.unit, `worker:${worker}`, {
        run: task.run,
        task: task.id,
        kind: task.kind,
        attempt,
      }),
    ],
    commands: [{ kind: "notify", run: task.run, units: [task.unit] }],
  };
}

/** Everything a finished attempt can change. `all` and `edges` are needed only where a failure skips other steps. */
export interface ReportView {
  readonly run: RunRow;
  readonly step: StepRow;
  readonly task: TaskRow;
  readonly attempt: AttemptRow;
  readonly after: readonly StepRow[];
  readonly all: readonly StepRow[];
  readonly edges: readonly StepEdgeRow[];
}

/** What an attempt's result means for its task, step and run. The caller has checked that the lease is still held. */
export function reportTask(reported: ReportView, result: TaskResult, now: string, jitter: number): Decision {
  const step = { ...reported.step, attempts: reported.step.attempts + 1 };
  const view = { ...reported, step };
  const { run, task, attempt } = view;
  const ended = (
    outcome: AttemptRow["outcome"],
    status: TaskRow["status"],
    detail: string | null = null,
  ): Decision => ({
    changes: [
      { put: "attempt", row: { ...attempt, endedAt: now, outcome, detail } },
      { put: "task", row: { ...task, status, worker: null, leaseExpiresAt: null } },
      draftEvent("attempt", outcome, task.unit, `worker:${attempt.worker}`, {
        run: run.id,
        task: task.id,
        kind: task.kind,
        attempt: attempt.attempt,
        ...(detail === null ? {} : { detail }),
      }),
    ],
    commands: [{ kind: "notify", run: run.id, units: [task.unit] }],
  });

  if (result.kind === "failed") {
    const { failure } = result;
    const detail = `${failure.code}: ${failure.message}`;
    if (result.retryable && result.effects === "none" && task.tries < MAX_TRIES && run.status !== "canceling") {
      const availableAt = new Date(Date.parse(now) + backoffMilliseconds(task.tries, jitter)).toISOString();
      const base = ended("failed", "queued", detail);
      const requeued = base.changes.map((change) =>
        "put" in change && change.put === "task" ? { ...change, row: { ...change.row, availableAt } } : change,
      );
      return {
        changes: [...requeued, taskQueued(task)],
        commands: [{ kind: "offer", engine: task.engine, pool: task.pool }],
      };
    }
    return merge(
      ended("failed", "failed", detail),
      endStep(run, step, "failed", JSON.stringify(failure), view.all, view.edges, now),
    );
  }
  if (result.kind === "canceled") {
    return merge(
      ended("canceled", "canceled"),
      endStep(run, step, "canceled", `canceled; effects ${result.effects}`, view.all, view.edges, now),
    );
  }
  if (result.kind === "released") return releaseTask(view, result.effects, now);
  const done = ended("succeeded", "done");
  switch (result.kind) {
    case "planned": {
      const { plan } = result;
      if (plan.status === "failed") {
        const failure = plan.failure ?? { code: "PLAN_FAILED", message: "the engine could not plan this unit" };
        return merge(
          done,
          endStep(run, step, "failed", JSON.stringify(failure), view.all, view.edges, now, {
            plan: JSON.stringify(plan),
          }),
        );
      }
      if (run.kind !== "apply") return merge(done, succeedStep(view, now, { plan: JSON.stringify(plan) }));
      return merge(done, advance(run, { ...step, stage: "review", plan: JSON.stringify(plan) }));
    }
    case "inspected":
      return merge(done, advance(run, { ...step, stage: "review", plan: JSON.stringify(result.plan) }));
    case "applied":
      return merge(
        done,
        advance(
          run,
          step.destroy
            ? { ...step, stage: "record", status: "recording", result: JSON.stringify(result) }
            : { ...step, stage: "verify", result: JSON.stringify(result) },
        ),
      );
    case "verified":
      return merge(
        done,
        advance(run, {
          ...step,
          stage: "record",
          status: "recording",
          reason: result.converged ? step.reason : "applied, but a plan straight afterwards still finds changes",
        }),
      );
    case "drifted":
    case "snapshotted":
    case "restored":
      return merge(done, advance(run, step));
  }
}

/** The step stays in progress and the driver acts on its new stage. */
function advance(run: RunRow, step: StepRow): Decision {
  const status = step.status === "recording" ? "recording" : "ready";
  return { changes: [{ put: "step", row: { ...step, status } }], commands: [{ kind: "drive", run: run.id }] };
}

/**
 * The lease ended without a report. What only reads is done again; what may have changed the world is never repeated
 * blindly: its step goes to inspection, and the record says that the outcome was unknown. What keeps ending its workers
 * is given up.
 *
 * @param unknownBefore attempts of the same run at this unit that ended so before.
 */
export function expireLease(view: ReportView, now: string, unknownBefore = 0): Decision {
  const { run, task, attempt } = view;
  const step = { ...view.step, attempts: view.step.attempts + 1 };
  const record = endWithoutOutcome(view, "lost", `worker ${attempt.worker} stopped renewing its lease`, now);
  if (hasEffects(task.kind) && unknownBefore + 1 >= MAX_UNKNOWN) {
    const failure = JSON.stringify({
      code: "WORKER_LOST",
      message: `${unknownBefore + 1} workers were lost while working on this, and what the last one did is unknown`,
      hint: "look at the workers' logs, then `xcf retry`, which inspects the unit first",
    });
    const unknownAttempts = [task.unknownAttempts, String(attempt.attempt)].filter(Boolean).join(",");
    const lost: TaskRow = { ...task, status: "lost", worker: null, leaseExpiresAt: null, unknownAttempts };
    return merge(
      { changes: [...record.changes, { put: "task", row: lost }], commands: record.commands },
      endStep(run, { ...step, outcomeWasUnknown: true }, "failed", failure, view.all, view.edges, now),
    );
  }
  if (hasEffects(task.kind)) return merge(record, inspectStep({ ...view, step }));
  if (task.tries >= MAX_LOST) {
    const failure = JSON.stringify({
      code: "WORKER_LOST",
      message: `${task.tries} workers were lost while working on this`,
      hint: "look at the workers' logs, then `xcf retry`",
    });
    return merge(
      {
        changes: [
          ...record.changes,
          { put: "task", row: { ...task, status: "lost", worker: null, leaseExpiresAt: null } },
        ],
        commands: record.commands,
      },
      endStep(run, step, "failed", failure, view.all, view.edges, now),
    );
  }
  return merge(record, queueAgain({ ...task, unknownAttempts: withUnknown(view) }, now));
}

/**
 * The worker ended and handed the task back. A task that changed nothing is for the next worker, and the try does not
 * count: nothing was wrong with it. One that may have is inspected, as after a lost lease.
 */
function releaseTask(view: ReportView, effects: "none" | "possible", now: string): Decision {
  const { run, step, task, attempt } = view;
  const why = `worker ${attempt.worker} ended before the attempt did`;
  if (effects === "possible" && hasEffects(task.kind))
    return merge(endWithoutOutcome(view, "released", why, now), inspectStep(view));
  const record: Decision = {
    changes: [
      { put: "attempt", row: { ...attempt, endedAt: now, outcome: "canceled", detail: why } },
      attemptEvent(view, "released", why),
    ],
    commands: [{ kind: "notify", run: run.id, units: [task.unit] }],
  };
  if (run.status !== "canceling") return merge(record, queueAgain({ ...task, tries: task.tries - 1 }, now));
  return merge(
    {
      changes: [
        ...record.changes,
        { put: "task", row: { ...task, status: "canceled", worker: null, leaseExpiresAt: null } },
      ],
      commands: record.commands,
    },
    endStep(run, step, "canceled", "canceled; effects none", view.all, view.edges, now),
  );
}

function endWithoutOutcome(view: ReportView, verb: "lost" | "released", detail: string, now: string): Decision {
  return {
    changes: [
      { put: "attempt", row: { ...view.attempt, endedAt: now, outcome: "unknown", detail } },
      attemptEvent(view, verb),
    ],
    commands: [{ kind: "notify", run: view.run.id }],
  };
}

function attemptEvent({ run, task, attempt }: ReportView, verb: string, detail?: string): Change {
  return draftEvent("attempt", verb, task.unit, verb === "lost" ? "orchestrator" : `worker:${attempt.worker}`, {
    run: run.id,
    task: task.id,
    kind: task.kind,
    attempt: attempt.attempt,
    ...(detail === undefined ? {} : { detail }),
  });
}

function withUnknown({ task, attempt }: ReportView): string {
  return [task.unknownAttempts, String(attempt.attempt)].filter(Boolean).join(",");
}

function inspectStep(view: ReportView): Decision {
  const { run, step, task, attempt } = view;
  return {
    changes: [
      {
        put: "task",
        row: { ...task, status: "lost", worker: null, leaseExpiresAt: null, unknownAttempts: withUnknown(view) },
      },
      {
        put: "step",
        row: {
          ...step,
          status: "ready",
          stage: "inspect",
          outcomeWasUnknown: true,
          reason: `attempt ${attempt.attempt} ended without a known outcome; inspecting`,
        },
      },
    ],
    commands: [{ kind: "drive", run: run.id }],
  };
}

function queueAgain(task: TaskRow, now: string): Decision {
  return {
    changes: [
      { put: "task", row: { ...task, status: "queued", worker: null, leaseExpiresAt: null, availableAt: now } },
      taskQueued(task),
    ],
    commands: [{ kind: "offer", engine: task.engine, pool: task.pool }],
  };
}

export type HeartbeatVerdict = "renewed" | "cancel" | "lost";

/** Renews a lease that is still this attempt's. A lease that ran out is not renewed even if nobody has taken it yet. */
export function renewLease(
  task: TaskRow | undefined,
  worker: string,
  attempt: number,
  now: string,
  leaseExpiresAt: string,
): { readonly verdict: HeartbeatVerdict } & Decision {
  if (
    task === undefined ||
    task.status !== "leased" ||
    task.worker !== worker ||
    task.attempt !== attempt ||
    (task.leaseExpiresAt ?? "") <= now
  ) {
    return { verdict: "lost", ...NOTHING };
  }
  return {
    verdict: task.cancelRequested ? "cancel" : "renewed",
    changes: [{ put: "task", row: { ...task, leaseExpiresAt } }],
    commands: [],
  };
}

function merge(first: Decision, second: Decision): Decision {
  return { changes: [...first.changes, ...second.changes], commands: [...first.commands, ...second.commands] };
}
