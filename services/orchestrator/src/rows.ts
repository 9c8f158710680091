import type { Phase } from "@xcloudflow/model/change-set";
import type { TaskKind } from "@xcloudflow/model/task-spec";

/**
 * The orchestrator's rows. Every field is a scalar (documents are JSON text), so that a row is the same value in
 * PostgreSQL, in PGlite and in the simulator's memory. Times are RFC 3339 text in UTC.
 */

/** compiling → planning → assembling → done for a plan or drift run; checking → (moving →) executing → finishing → done for an apply run. */
export type RunPhase =
  | "compiling"
  | "planning"
  | "assembling"
  | "checking"
  | "moving"
  | "executing"
  | "finishing"
  | "done";
export type RunStatus = "running" | "waiting" | "canceling" | "succeeded" | "failed" | "canceled";
export type WaitingKind = "approval" | "window" | "lock" | "merge";

export interface RunRow {
  readonly id: string;
  readonly kind: "plan" | "apply" | "drift";
  readonly phase: RunPhase;
  readonly status: RunStatus;
  readonly environment: string;
  readonly repository: string;
  readonly changeSet: string | null;
  /** `RunRequest` as JSON. */
  readonly request: string;
  /** `Caller` as JSON. */
  readonly actor: string;
  readonly idempotencyKey: string | null;
  readonly waitingKind: WaitingKind | null;
  readonly waitingFor: string | null;
  /** Steps that have not ended: the run ends when it reaches 0. */
  readonly unfinished: number;
  /** At most this many units of the environment change at once. */
  readonly concurrency: number;
  /** `UnitFailure` as JSON plus `category`. */
  readonly failure: string | null;
  readonly createdAt: string;
  readonly endedAt: string | null;
  /** Last `run_update.sequence`. */
  readonly sequence: number;
}

/**
 * pending (dependencies unfinished) → ready (the driver must act) → running (a task is out) → recording (its result
 * must reach the state service) → succeeded; or waiting (for people), failed, skipped, canceled.
 */
export type StepStatus =
  | "pending"
  | "ready"
  | "running"
  | "recording"
  | "waiting"
  | "succeeded"
  | "failed"
  | "skipped"
  | "canceled";
export type StepStage = "plan" | "replan" | "review" | "apply" | "verify" | "inspect" | "record";

export interface StepRow {
  readonly run: string;
  readonly unit: string;
  readonly status: StepStatus;
  readonly stage: StepStage;
  readonly engine: string;
  readonly lifecycle: string;
  readonly destroy: boolean;
  /** Dependencies that have not succeeded yet. */
  readonly waitingOn: number;
  readonly attempts: number;
  readonly reason: string | null;
  readonly outcomeWasUnknown: boolean;
  /** `UnitPlan` as JSON: of a plan run the result, of an apply run the plan that is (to be) applied. */
  readonly plan: string | null;
  /** The `applied` or `verified` task result as JSON, until it is recorded. */
  readonly result: string | null;
  /** Resolved inputs as JSON the plan in `plan` was made with. */
  readonly inputs: string | null;
  /** A ChangeSet of its own that this unit's real plan needs approval of. */
  readonly successor: string | null;
  readonly startedAt: string | null;
  readonly endedAt: string | null;
}

/** What people and counters need of a step; the documents of 200 steps are a megabyte. */
export type StepSummary = Omit<StepRow, "plan" | "result" | "inputs">;

/** A plan run's `Compilation` as JSON. Beside the run, which is read and written at every event. */
export interface CompilationRow {
  readonly run: string;
  readonly document: string;
}

/** `to` may start when `from` has succeeded. For destroyed units this is the reverse of the dependency. */
export interface StepEdgeRow {
  readonly run: string;
  readonly from: string;
  readonly to: string;
}

export type TaskStatus = "queued" | "leased" | "done" | "failed" | "canceled" | "lost";

export interface TaskRow {
  readonly id: string;
  readonly run: string;
  readonly unit: string;
  readonly environment: string;
  readonly kind: TaskKind;
  readonly engine: string;
  readonly pool: string;
  readonly status: TaskStatus;
  /** `TaskSpec` as JSON. */
  readonly spec: string;
  /** Tries of this task so far. */
  readonly tries: number;
  /** The unit's attempt number (its fence) of the current try; 0 before the first. */
  readonly attempt: number;
  readonly worker: string | null;
  readonly availableAt: string;
  readonly leaseExpiresAt: string | null;
  readonly cancelRequested: boolean;
  /** Comma-separated attempt numbers whose outcome is unknown. */
  readonly unknownAttempts: string;
  readonly concurrency: number;
  readonly createdAt: string;
}

/** What became of every attempt, kept for the record and for `why`. */
export interface AttemptRow {
  readonly task: string;
  readonly attempt: number;
  readonly unit: string;
  readonly run: string;
  readonly worker: string;
  readonly claimedAt: string;
  readonly endedAt: string | null;
  readonly outcome: "running" | "succeeded" | "failed" | "canceled" | "unknown";
  readonly detail: string | null;
}

/** The last attempt number of a unit. It only grows, whatever task the attempt was for. */
export interface UnitFenceRow {
  readonly unit: string;
  readonly value: number;
}

export interface ChangeSetRow {
  readonly id: string;
  readonly environment: string;
  readonly repository: string;
  readonly digest: string;
  readonly phase: Phase;
  readonly reason: string | null;
  readonly dirty: boolean;
  readonly author: string;
  /** JSON array of identities that may not approve. */
  readonly authors: string;
  /** JSON of `Identities`, or null where the governing commit declares none. */
  readonly identities: string | null;
  /** JSON array of `Gate`. */
  readonly gates: string;
  readonly commit: string;
  /** Groups ChangeSets of which a newer one supersedes an older: the origin, author and environment. */
  readonly series: string;
  readonly planRun: string;
  readonly applyRun: string | null;
  /** The ChangeSet whose run waits for this one. */
  readonly parent: string | null;
  readonly createdAt: string;
  readonly expiresAt: string;
}

export interface ApprovalRow {
  readonly changeSet: string;
  readonly subject: string;
  readonly decision: "approve" | "reject";
  readonly digest: string;
  readonly comment: string;
  /** JSON array. */
  readonly groups: string;
  readonly assurance: string;
  readonly at: string;
}

export interface LockRow {
  readonly kind: "unit" | "tier";
  readonly name: string;
  readonly run: string;
  readonly mode: "exclusive" | "shared";
  readonly reason: string;
  readonly since: string;
}

/** The commit whose rules judge the next change of an environment: what one environment applied never judges another. */
export interface GovernanceRow {
  readonly repository: string;
  readonly environment: string;
  readonly commit: string;
  readonly changedAt: string;
}

/** One thing a watcher of a run is told: `WatchRunResponse.update` as proto JSON. */
export interface RunUpdateRow {
  readonly run: string;
  readonly sequence: number;
  readonly time: string;
  readonly kind: "run" | "step" | "log" | "progress";
  readonly document: string;
}

/** Engines a worker offers, as it said when it last asked for work. */
export interface WorkerRow {
  readonly id: string;
  /** JSON record engine → version. */
  readonly engines: string;
  readonly seenAt: string;
}

export interface Tables {
  readonly run: RunRow;
  readonly compilation: CompilationRow;
  readonly step: StepRow;
  readonly stepEdge: StepEdgeRow;
  readonly task: TaskRow;
  readonly attempt: AttemptRow;
  readonly unitFence: UnitFenceRow;
  readonly changeSet: ChangeSetRow;
  readonly approval: ApprovalRow;
  readonly lock: LockRow;
  readonly governance: GovernanceRow;
  readonly runUpdate: RunUpdateRow;
  readonly worker: WorkerRow;
}

/** Primary keys within a tenant. */
export const KEYS = {
  run: ["id"],
  compilation: ["run"],
  step: ["run", "unit"],
  stepEdge: ["run", "from", "to"],
  task: ["id"],
  attempt: ["task", "attempt"],
  unitFence: ["unit"],
  changeSet: ["id"],
  approval: ["changeSet", "subject"],
  lock: ["kind", "name", "run"],
  governance: ["repository", "environment"],
  runUpdate: ["run", "sequence"],
  worker: ["id"],
} as const satisfies { [T in keyof Tables]: readonly (keyof Tables[T])[] };
