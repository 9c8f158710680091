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
  /** Everything inside is one serializable change of one tenant's rows; nothing is written when `work` throws. */
  transact<T>(tenant: string, name: string, work: (tx: OrchestratorTransaction) => Promise<T>): Promise<T>;
  /** Tenants with anything unfinished; for recovery and sweeping. */
  activeTenants(): Promise<string[]>;
}

export interface OrchestratorTransaction {
  /** Locks the run's row until the end: one event of a run at a time. */
  lockRun(id: string): Promise<RunRow | undefined>;
  /** Locks the run that a task belongs to. */
  lockRunOfTask(task: string): Promise<RunRow | undefined>;
  run(id: string): Promise<RunRow | undefined>;
  runByKey(idempotencyKey: string): Promise<RunRow | undefined>;
  runs(query: { environment?: string; active?: boolean; before?: string; limit: number }): Promise<RunRow[]>;
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
  attempt(task: string, attempt: number): Promise<AttemptRow | undefined>;
  attempts(unit: string, limit: number): Promise<AttemptRow[]>;
  fence(unit: string): Promise<UnitFenceRow | undefined>;
  /** Adds one to a unit's fence, 0 before its first time, and answers what it is now; locked until the end. */
  raiseFence(unit: string): Promise<number>;
  /** As it is now, locking nothing: looking goes on where nothing may be written. */
  peekChangeSet(id: string): Promise<ChangeSetRow | undefined>;
  changeSet(id: string): Promise<ChangeSetRow | undefined>;
  changeSets(query: {
    environment?: string;
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
  /** One row for each environment that has been applied. */
  governance(repository: string): Promise<GovernanceRow[]>;
  updates(run: string, after: number, limit: number, logs: boolean): Promise<RunUpdateRow[]>;
  workers(seenSince: string): Promise<WorkerRow[]>;
  write(changes: readonly Change[], actor?: string): Promise<void>;
}
