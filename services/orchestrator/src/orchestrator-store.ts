import { CodedError } from "@xcloudflow/model/coded-error";
import type { Change } from "./decision.ts";
import type {
  ApprovalRow,
  AttemptRow,
  ChangeSetRow,
  CompilationRow,
  GovernanceRow,
  LockRow,
  RunRow,
  RunUpdateRow,
  StepEdgeRow,
  StepRow,
  StepSummary,
  TaskRow,
  UnitFenceRow,
  WorkerRow,
} from "./rows.ts";

/**
 * What the orchestrator needs of a database. The seam exists because the same decisions run against SQL in production
 * and against memory in the simulator, where thousands of seeded schedules a second matter more than durability; both
 * sides pass `test/conformance/orchestrator-store.test.ts`.
 */
export interface OrchestratorStore {
  /**
   * Everything inside is one change of one tenant's rows; nothing is written when `work` throws. Several processes do this
   * at once: whoever writes back what it has read must have locked it, and `work` may be run again after a lost race.
   */
  transact<T>(tenant: string, name: string, work: (tx: OrchestratorTransaction) => Promise<T>): Promise<T>;
  /** Tenants with anything unfinished, sorted; for recovery and sweeping. */
  activeTenants(): Promise<string[]>;
  /** Tenants with a task that one of these engines might take now, sorted; for workers that serve every tenant. */
  tenantsWithTasks(query: { engines: readonly string[]; pool: string; now: string }): Promise<string[]>;
}

/**
 * Lists come in the order of their rows' keys where nothing else is said. Rows are locked in the order run, task, fence,
 * locks, ChangeSet, so that no two transactions wait for each other.
 */
export interface OrchestratorTransaction {
  /** Locks the run's row until the end: one event of a run at a time. */
  lockRun(id: string): Promise<RunRow | undefined>;
  /** Locks the run that a task belongs to. */
  lockRunOfTask(task: string): Promise<RunRow | undefined>;
  run(id: string): Promise<RunRow | undefined>;
  runByKey(idempotencyKey: string): Promise<RunRow | undefined>;
  runs(query: {
    environment?: string;
    environments?: readonly string[];
    active?: boolean;
    before?: string;
    limit: number;
  }): Promise<RunRow[]>;
  compilation(run: string): Promise<CompilationRow | undefined>;
  steps(run: string): Promise<StepRow[]>;
  /** All steps without their documents. */
  stepSummaries(run: string): Promise<StepSummary[]>;
  stepSummariesOf(run: string, units: readonly string[]): Promise<StepSummary[]>;
  /** Steps that wait for the driver: ready, recording or waiting for people. */
  stepsToDrive(run: string): Promise<StepRow[]>;
  stepsOf(run: string, units: readonly string[]): Promise<StepRow[]>;
  step(run: string, unit: string): Promise<StepRow | undefined>;
  /** Steps that wait for `unit`, directly. */
  stepsAfter(run: string, unit: string): Promise<StepRow[]>;
  /** A step and those that wait for it directly. */
  stepAndAfter(run: string, unit: string): Promise<{ step: StepRow | undefined; after: StepRow[] }>;
  edges(run: string): Promise<StepEdgeRow[]>;
  /** Steps of a unit over all runs, newest first. */
  stepsOfUnit(unit: string, limit: number): Promise<StepRow[]>;
  /** Without a lock: to learn its run, which is locked before its task. */
  peekTask(id: string): Promise<TaskRow | undefined>;
  /** Locks the task's row. A transaction that locks a run as well locks the run first. */
  task(id: string): Promise<TaskRow | undefined>;
  /** Tasks of a run that are queued or leased, locked. */
  openTasks(run: string): Promise<TaskRow[]>;
  /** The oldest task one of these engines may take now, within its environment's concurrency; locked, others skip it. */
  claimableTask(query: { engines: readonly string[]; pool: string; now: string }): Promise<TaskRow | undefined>;
  /** Leased tasks whose lease ended before `before`. */
  expiredTasks(query: { before: string }): Promise<TaskRow[]>;
  /** Tasks that are queued or leased, the oldest first, without a lock. */
  unfinishedTasks(limit: number): Promise<TaskRow[]>;
  attempt(task: string, attempt: number): Promise<AttemptRow | undefined>;
  attempts(unit: string, limit: number): Promise<AttemptRow[]>;
  fence(unit: string): Promise<UnitFenceRow | undefined>;
  /** Adds one to a unit's fence, 0 before its first time, and answers what it is now; locked until the end. */
  raiseFence(unit: string): Promise<number>;
  /** Locks the ChangeSet's row. */
  changeSet(id: string): Promise<ChangeSetRow | undefined>;
  /**
   * As it is now, locking nothing: to show it, also where nothing may be written, or to learn which run must be locked
   * before it.
   */
  peekChangeSet(id: string): Promise<ChangeSetRow | undefined>;
  changeSets(query: {
    environment?: string;
    environments?: readonly string[];
    phase?: string;
    author?: string;
    series?: string;
    parent?: string;
    limit: number;
    before?: string;
  }): Promise<ChangeSetRow[]>;
  approvals(changeSet: string): Promise<ApprovalRow[]>;
  /** All locks of the tenant, locked against concurrent taking. */
  locks(): Promise<LockRow[]>;
  /**
   * Active runs that `replica` is to drive from now until `until`: those it drove before, those in `driving`, those whose
   * driver let them go, and those nobody has taken since before `unclaimedBefore`. Others are somebody else's.
   */
  leaseDrives(query: {
    replica: string;
    driving: readonly string[];
    now: string;
    until: string;
    unclaimedBefore: string;
  }): Promise<string[]>;
  /** One row for each environment that has been applied. */
  governance(repository: string): Promise<GovernanceRow[]>;
  updates(run: string, after: number, limit: number, logs: boolean): Promise<RunUpdateRow[]>;
  workers(seenSince: string): Promise<WorkerRow[]>;
  /**
   * Removals first, then rows, of which the last with the same key counts, then events in their order.
   *
   * @throws {RunKeyTakenError} when another run has the idempotency key of one of these.
   */
  write(changes: readonly Change[]): Promise<void>;
}

/** Thrown when two requests with one idempotency key start a run at the same moment: the later one joins the earlier. */
export class RunKeyTakenError extends CodedError {
  constructor(cause?: unknown) {
    super("RUN_KEY_TAKEN", "conflict", {
      what: "another run has this idempotency key",
      hint: "ask again: the answer is that run",
      cause,
    });
  }
}
