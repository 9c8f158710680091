import type { Caller } from "@xcloudflow/chassis/caller";
import { currentTraceparent } from "@xcloudflow/chassis/tracing";
import type { Gate } from "@xcloudflow/model/change-set";
import { CodedError } from "@xcloudflow/model/coded-error";
import { type Identities, normalizeIdentity } from "@xcloudflow/model/identities";
import type { StartRunRequest } from "@xcloudflow/proto/orchestrator/v1/orchestrator_pb";
import { decideApproval, PhaseRefusedError } from "./approval-decision.ts";
import type { Change, Command } from "./decision.ts";
import type { OrchestratorContext } from "./orchestrator-context.ts";
import { draftEvent } from "./orchestrator-events.ts";
import { type OrchestratorTransaction, RunKeyTakenError } from "./orchestrator-store.ts";
import { performCommands } from "./perform-commands.ts";
import type { ChangeSetRow, RunRow } from "./rows.ts";
import type { RunRequest } from "./run-request.ts";

/** Thrown when an id names no ChangeSet of the tenant, or the caller has none that could be meant. */
export class ChangeSetNotFoundError extends CodedError {
  constructor(id: string) {
    super("CHANGESET_NOT_FOUND", "notFound", {
      where: id === "" ? undefined : id,
      what: id === "" ? "you have no open ChangeSet" : "there is no such ChangeSet",
      hint: "make one with `xcf plan`",
    });
  }
}

/** Thrown when somebody tries to apply a ChangeSet that was planned from uncommitted files. */
export class WorkTreeChangeSetError extends CodedError {
  constructor(id: string) {
    super("CHANGESET_FROM_WORK_TREE", "stale", {
      where: id,
      what: "it was planned from uncommitted files (--dirty) and can never be applied",
      hint: "commit, then `xcf plan`",
    });
  }
}

/** Thrown when a run is asked for without what its kind needs. */
export class RunRequestInvalidError extends CodedError {
  constructor(what: string, hint: string) {
    super("RUN_REQUEST_INVALID", "invalid", { what, hint });
  }
}

/** Starts a run or joins the one that is meant. */
export async function startRun(
  context: OrchestratorContext,
  tenant: string,
  caller: Caller,
  request: StartRunRequest,
): Promise<RunRow> {
  const start = () =>
    context.store.transact(tenant, "start-run", async (tx): Promise<Started> => {
      const earlier = request.idempotencyKey === "" ? undefined : await tx.runByKey(request.idempotencyKey);
      if (earlier !== undefined) return { run: earlier, commands: [] };
      return request.kind === "apply"
        ? startApply(context, tx, caller, request)
        : startPlan(context, tx, caller, request);
    });
  // The same request at the same moment, elsewhere: by now its run is there to be found.
  const { run, commands } = await start().catch((error: unknown) => {
    if (error instanceof RunKeyTakenError) return start();
    throw error;
  });
  performCommands(context, tenant, commands);
  return run;
}

type Started = { readonly run: RunRow; readonly commands: readonly Command[] };

async function startPlan(
  context: OrchestratorContext,
  tx: OrchestratorTransaction,
  caller: Caller,
  request: StartRunRequest,
): Promise<Started> {
  if (request.repository === "")
    throw new RunRequestInvalidError("a plan needs a repository", "run it inside a Git repository");
  const run = newRun(context, caller, request, request.kind === "drift" ? "drift" : "plan", "compiling", null);
  await tx.write([
    { put: "run", row: run },
    draftEvent("run", "requested", run.id, caller.subject, {
      kind: run.kind,
      environment: run.environment,
      head: request.head,
    }),
  ]);
  return { run, commands: [{ kind: "drive", run: run.id }] };
}

async function startApply(
  context: OrchestratorContext,
  tx: OrchestratorTransaction,
  caller: Caller,
  request: StartRunRequest,
): Promise<Started> {
  const { row, current } = await lockChangeSet(tx, (await findChangeSet(tx, caller, request)).id);
  const approval = selfApproval(await approvalView(tx, row), caller, context.clock.now().toISOString());
  if (current !== undefined) {
    // What it waited for may have come: it is looked at again, and nobody is told the old reason meanwhile.
    const woken =
      current.status === "waiting"
        ? { ...current, status: "running" as const, waitingKind: null, waitingFor: null }
        : current;
    await tx.write(woken === current ? approval : [{ put: "run", row: woken }, ...approval]);
    return { run: woken, commands: [{ kind: "drive", run: current.id }] };
  }
  if (row.dirty) throw new WorkTreeChangeSetError(row.id);
  if (row.phase !== "open" && row.phase !== "approved") throw new PhaseRefusedError(row.id, row.phase, row.reason);
  const run = newRun(
    context,
    caller,
    { ...request, repository: row.repository, environment: row.environment },
    "apply",
    "checking",
    row.id,
  );
  const latest =
    approval.flatMap((change) => ("put" in change && change.put === "changeSet" ? [change.row] : []))[0] ?? row;
  await tx.write([
    { put: "run", row: run },
    ...approval,
    { put: "changeSet", row: { ...latest, applyRun: run.id } },
    draftEvent("run", "requested", run.id, caller.subject, { kind: "apply", changeSet: row.id, digest: row.digest }),
  ]);
  return { run, commands: [{ kind: "drive", run: run.id }] };
}

/**
 * The ChangeSet and the run that already applies it, locked: the run first, as everywhere. Somebody else may begin to
 * apply it between the look and the lock; then its run is not the one that was locked, and it is looked at again.
 */
async function lockChangeSet(
  tx: OrchestratorTransaction,
  id: string,
): Promise<{ row: ChangeSetRow; current: RunRow | undefined }> {
  for (;;) {
    const seen = await tx.peekChangeSet(id);
    const name = seen?.parent ?? seen?.applyRun ?? null;
    const run = name === null ? undefined : await tx.lockRun(name);
    const row = await tx.changeSet(id);
    if (row === undefined) throw new ChangeSetNotFoundError(id);
    if ((row.parent ?? row.applyRun) !== name) continue;
    return { row, current: row.parent !== null || joinable(run, row) ? run : undefined };
  }
}

/** As long as the run can still be joined; that of a closed ChangeSet is joined to show its end. */
function joinable(run: RunRow | undefined, row: ChangeSetRow): boolean {
  return run !== undefined && (run.phase !== "done" || row.phase === "closed" || row.phase === "running");
}

async function findChangeSet(
  tx: OrchestratorTransaction,
  caller: Caller,
  request: StartRunRequest,
): Promise<ChangeSetRow> {
  if (request.changeSet !== "") {
    const row = await tx.peekChangeSet(request.changeSet);
    if (row === undefined) throw new ChangeSetNotFoundError(request.changeSet);
    return row;
  }
  const subject = normalizeIdentity(caller.subject);
  const rows = await tx.changeSets({
    limit: 200,
    ...(request.environment === "" ? {} : { environment: request.environment }),
  });
  const mine = rows.filter((row) => normalizeIdentity(row.author) === subject && !row.dirty);
  const row =
    mine.find(
      (candidate) => candidate.phase === "open" || candidate.phase === "approved" || candidate.phase === "running",
    ) ?? mine[0];
  if (row === undefined) throw new ChangeSetNotFoundError("");
  return row;
}

interface LoadedApproval {
  readonly changeSet: ChangeSetRow;
  readonly gates: readonly Gate[];
  readonly authors: readonly string[];
  readonly identities: Identities | undefined;
  readonly approvals: Awaited<ReturnType<OrchestratorTransaction["approvals"]>>;
}

export async function approvalView(tx: OrchestratorTransaction, row: ChangeSetRow): Promise<LoadedApproval> {
  return {
    changeSet: row,
    gates: JSON.parse(row.gates) as Gate[],
    authors: JSON.parse(row.authors) as string[],
    identities: row.identities === null ? undefined : (JSON.parse(row.identities) as Identities),
    approvals: await tx.approvals(row.id),
  };
}

/** In an environment that declares it, the author's own `apply` counts as the approval, and the record says so. */
function selfApproval(view: LoadedApproval, caller: Caller, now: string): readonly Change[] {
  const asked = view.gates.filter((gate) => gate.kind === "approval");
  if (view.changeSet.phase !== "open" || asked.length === 0 || !asked.every((gate) => gate.selfApproval)) return [];
  return decideApproval(
    view,
    caller,
    { decision: "approve", digest: view.changeSet.digest, comment: "self-approval by apply" },
    now,
  ).changes;
}

function newRun(
  context: OrchestratorContext,
  caller: Caller,
  request: StartRunRequest,
  kind: RunRow["kind"],
  phase: RunRow["phase"],
  changeSet: string | null,
): RunRow {
  const wish: RunRequest = {
    head: request.head,
    base: request.base,
    environment: request.environment,
    dirty: request.dirty,
    only: request.only,
    replace: request.replace,
    destroy: request.destroy,
    onlyUnits: request.onlyUnits,
    ...traced(),
  };
  return {
    id: context.ids.next("run"),
    kind,
    phase,
    status: "running",
    environment: request.environment,
    repository: request.repository,
    changeSet,
    request: JSON.stringify(wish),
    actor: JSON.stringify(caller),
    idempotencyKey: request.idempotencyKey === "" ? null : request.idempotencyKey,
    waitingKind: null,
    waitingFor: null,
    unfinished: 0,
    concurrency: 1,
    failure: null,
    createdAt: context.clock.now().toISOString(),
    endedAt: null,
    sequence: 0,
  };
}

function traced(): Pick<RunRequest, "traceparent"> {
  const traceparent = currentTraceparent();
  return traceparent === undefined ? {} : { traceparent };
}
