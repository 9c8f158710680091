import type {
  ApprovalRow,
  AttemptRow,
  ChangeSetRow,
  LockRow,
  RunRow,
  RunUpdateRow,
  StepEdgeRow,
  StepRow,
  TaskRow,
} from "@xcloudflow/orchestrator/rows";

/** Rows of the orchestrator as they begin; a test says what matters to it. */

export const NOON = "2026-01-01T12:00:00.000Z";

export function aRun(patch: Partial<RunRow> = {}): RunRow {
  return {
    id: "run_1",
    kind: "apply",
    phase: "executing",
    status: "running",
    environment: "prod",
    repository: "/repository",
    changeSet: "cs_1",
    request: "{}",
    actor: "{}",
    idempotencyKey: null,
    waitingKind: null,
    waitingFor: null,
    unfinished: 1,
    concurrency: 2,
    failure: null,
    createdAt: NOON,
    endedAt: null,
    sequence: 0,
    ...patch,
  };
}

export function aStep(patch: Partial<StepRow> = {}): StepRow {
  return {
    run: "run_1",
    unit: "prod/shop/db",
    status: "running",
    stage: "apply",
    engine: "terraform",
    lifecycle: "Platform",
    destroy: false,
    waitingOn: 0,
    attempts: 0,
    reason: null,
    outcomeWasUnknown: false,
    plan: null,
    result: null,
    inputs: null,
    successor: null,
    startedAt: null,
    endedAt: null,
    ...patch,
  };
}

export function anEdge(from: string, to: string, run = "run_1"): StepEdgeRow {
  return { run, from, to };
}

export function aTask(patch: Partial<TaskRow> = {}): TaskRow {
  return {
    id: "task_1",
    run: "run_1",
    unit: "prod/shop/db",
    environment: "prod",
    kind: "apply",
    engine: "terraform",
    pool: "apply",
    status: "queued",
    spec: "{}",
    tries: 0,
    attempt: 0,
    worker: null,
    availableAt: NOON,
    leaseExpiresAt: null,
    cancelRequested: false,
    unknownAttempts: "",
    concurrency: 2,
    createdAt: NOON,
    ...patch,
  };
}

export function anAttempt(patch: Partial<AttemptRow> = {}): AttemptRow {
  return {
    task: "task_1",
    attempt: 1,
    unit: "prod/shop/db",
    run: "run_1",
    worker: "worker-a",
    claimedAt: NOON,
    endedAt: null,
    outcome: "running",
    detail: null,
    ...patch,
  };
}

export function aChangeSet(patch: Partial<ChangeSetRow> = {}): ChangeSetRow {
  return {
    id: "cs_1",
    environment: "prod",
    repository: "/repository",
    digest: "xcf1:sha256:aa",
    phase: "open",
    reason: null,
    dirty: false,
    author: "ada@example.com",
    authors: '["ada@example.com"]',
    gates: "[]",
    commit: "c0ffee",
    series: "manual",
    planRun: "run_0",
    applyRun: null,
    parent: null,
    identities: null,
    createdAt: NOON,
    expiresAt: "2026-01-08T12:00:00.000Z",
    ...patch,
  };
}

export function anApproval(patch: Partial<ApprovalRow> = {}): ApprovalRow {
  return {
    changeSet: "cs_1",
    subject: "lead@example.com",
    decision: "approve",
    digest: "xcf1:sha256:aa",
    comment: "",
    groups: "[]",
    assurance: "token",
    at: NOON,
    ...patch,
  };
}

export function aLock(patch: Partial<LockRow> = {}): LockRow {
  return {
    kind: "unit",
    name: "prod/shop/db",
    run: "run_1",
    mode: "exclusive",
    reason: "ChangeSet cs_1",
    since: NOON,
    ...patch,
  };
}

export function anUpdate(sequence: number, kind: RunUpdateRow["kind"], run = "run_1"): RunUpdateRow {
  return { run, sequence, time: NOON, kind, document: `{"sequence":${sequence}}` };
}
