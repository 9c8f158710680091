import { as, serviceCaller } from "@xcloudflow/chassis/caller";
import { type ChangeSet, changeSetSchema } from "@xcloudflow/model/change-set";
import { decodeDocument } from "@xcloudflow/model/parse-json";
import { planSteps } from "./apply-plan.ts";
import { driveSteps } from "./apply-steps.ts";
import { gateStates, PhaseRefusedError } from "./approval-decision.ts";
import { checkFreshness } from "./check-freshness.ts";
import { closeChangeSet } from "./close-change-set.ts";
import type { Change } from "./decision.ts";
import { decideLocks, describeLock, wishLocks } from "./lock-decision.ts";
import { moveStates } from "./move-states.ts";
import type { OrchestratorContext } from "./orchestrator-context.ts";
import { draftEvent } from "./orchestrator-events.ts";
import { runWaits } from "./orchestrator-metrics.ts";
import type { ChangeSetRow, RunRow, WaitingKind } from "./rows.ts";
import { waitRun } from "./run-decision.ts";
import { runRequestSchema } from "./run-request.ts";
import { transact } from "./run-transaction.ts";
import { closedWindow } from "./window-decision.ts";

/** Does what an apply run's phase asks for. Answers whether it moved. */
export async function driveApply(context: OrchestratorContext, tenant: string, run: RunRow): Promise<boolean> {
  switch (run.phase) {
    case "checking":
      if (run.status === "canceling") return finishCanceled(context, tenant, run);
      return check(context, tenant, run);
    case "moving":
      return moveStates(context, tenant, run, await loadChangeSet(context, tenant, run.changeSet ?? ""));
    case "executing":
      return driveSteps(context, tenant, run, await loadChangeSet(context, tenant, run.changeSet ?? ""));
    case "finishing":
      return closeChangeSet(context, tenant, run, await loadChangeSet(context, tenant, run.changeSet ?? ""));
    default:
      return false;
  }
}

/** A retried run that was canceled before it took its locks again: its steps are canceled already. */
async function finishCanceled(context: OrchestratorContext, tenant: string, run: RunRow): Promise<boolean> {
  return transact(context, tenant, "finish-canceled", run, async (current, write) => {
    await write([{ put: "run", row: { ...current, phase: "finishing" } }]);
    return [];
  });
}

/** The stored document, checked against its schema. */
export async function loadChangeSet(context: OrchestratorContext, tenant: string, id: string): Promise<ChangeSet> {
  return context.changeSets.get(id, async () => {
    const { document } = await context.state.getChangeSet({ id }, as(serviceCaller(tenant, "orchestrator")));
    return decodeDocument(changeSetSchema, document, `ChangeSet ${id}`);
  });
}

/** People first, then the clock, then everything that may have changed since, then locks; only then something runs. */
async function check(context: OrchestratorContext, tenant: string, run: RunRow): Promise<boolean> {
  const { row, approvals, resumed } = await context.store.transact(tenant, "read-approvals", async (tx) => ({
    row: await tx.peekChangeSet(run.changeSet ?? ""),
    approvals: await tx.approvals(run.changeSet ?? ""),
    resumed: (await tx.stepSummaries(run.id)).length > 0,
  }));
  if (row === undefined) return false;
  if (!mayBegin(row, run)) throw new PhaseRefusedError(row.id, row.phase, row.reason);
  const changeSet = await loadChangeSet(context, tenant, row.id);
  const states = gateStates({
    changeSet: row,
    gates: changeSet.gates,
    authors: JSON.parse(row.authors) as string[],
    identities: changeSet.governance.identities,
    approvals,
  });
  const missing = states.filter((state) => !state.satisfied);
  if (missing.length > 0) return wait(context, tenant, run, "approval", describeMissing(changeSet, missing));
  const closed = closedWindow(changeSet, context.clock.now());
  if (closed !== undefined) {
    const waited = await wait(context, tenant, run, "window", closed.reason);
    // Every sweep looks again; the timer is for the moment itself, and one a sweep would be without end.
    if (
      closed.opensAt !== undefined &&
      closed.opensAt.getTime() - context.clock.now().getTime() <= context.timing.sweep
    )
      context.clock.schedule(closed.opensAt, () => context.signals.drive(tenant, run.id));
    return waited;
  }
  const unmerged = resumed ? undefined : await checkFreshness(context, tenant, run, changeSet);
  if (unmerged !== undefined) return wait(context, tenant, run, "merge", unmerged);
  return begin(context, tenant, run, row, changeSet, resumed);
}

function describeMissing(
  changeSet: ChangeSet,
  missing: readonly { readonly index: number; readonly given: number; readonly needed: number }[],
): string {
  const sentences = missing.map(({ index, given, needed }) => {
    const gate = changeSet.gates[index];
    const groups = gate?.kind === "approval" && gate.groups.length > 0 ? ` from ${gate.groups.join(" or ")}` : "";
    return `${given} of ${needed} approval${needed === 1 ? "" : "s"}${groups}`;
  });
  return `${sentences.join("; ")}: \`xcf approve ${changeSet.id}\``;
}

async function wait(
  context: OrchestratorContext,
  tenant: string,
  run: RunRow,
  kind: WaitingKind,
  reason: string,
): Promise<boolean> {
  let began = false;
  await transact(context, tenant, "wait-run", run, async (current, write) => {
    // Asked to stop since it was read: that is not to be forgotten.
    if (current.status === "canceling") return [{ kind: "drive", run: run.id }];
    const decision = waitRun(current, kind, reason);
    began = current.waitingKind !== kind;
    await write(decision.changes);
    return decision.commands;
  });
  if (began) runWaits.add(1, { reason: kind });
  return false;
}

/** Rejected, superseded or begun by another run since the approvals were read: then it is not begun. */
function mayBegin(changeSet: ChangeSetRow, run: RunRow): boolean {
  if (changeSet.applyRun !== null && changeSet.applyRun !== run.id) return false;
  return changeSet.phase === "open" || changeSet.phase === "approved" || changeSet.phase === "running";
}

async function begin(
  context: OrchestratorContext,
  tenant: string,
  run: RunRow,
  row: ChangeSetRow,
  changeSet: ChangeSet,
  resumed: boolean,
): Promise<boolean> {
  const request = runRequestSchema.parse(JSON.parse(run.request));
  const plannedInputs = await context.store.transact(
    tenant,
    "read-planned-inputs",
    async (tx) => new Map((await tx.steps(row.planRun)).map((step) => [step.unit, step.inputs])),
  );
  const { steps, edges } = planSteps(run.id, changeSet, request.onlyUnits, plannedInputs);
  const wishes = wishLocks(changeSet.environment, steps, changeSet.id);
  let blocked: string | undefined;
  const moved = await transact(context, tenant, "begin-run", run, async (current, write, tx) => {
    blocked = undefined;
    // Somebody else began, and it was taken up again meanwhile: what was read is of before.
    if (current.unfinished !== run.unfinished) return [{ kind: "drive", run: run.id }];
    const now = context.clock.now().toISOString();
    const held = await tx.locks();
    const takeover: typeof held = [];
    for (const lock of held) {
      const holder = lock.run === run.id ? undefined : await tx.run(lock.run);
      if (holder?.phase === "done") takeover.push(lock);
    }
    const answer = decideLocks(
      held.filter((lock) => !takeover.includes(lock)),
      run.id,
      wishes,
      now,
    );
    if (!answer.granted) {
      blocked = describeLock(answer.heldBy);
      return [];
    }
    // What an ended run left locked is taken over by a change of the same thing, never by anything else.
    const left = takeover.filter((lock) => wishes.some((wish) => wish.kind === lock.kind && wish.name === lock.name));
    const barred = left.find(
      (lock) => lock.kind === "tier" && !wishes.some((wish) => wish.kind === "tier" && wish.mode === "exclusive"),
    );
    if (barred !== undefined) {
      blocked = describeLock(barred);
      return [];
    }
    const latest = await tx.changeSet(row.id);
    if (latest === undefined || !mayBegin(latest, run))
      throw new PhaseRefusedError(row.id, latest?.phase ?? "stale", latest?.reason ?? null);
    await write([
      ...left.map((lock): Change => ({ drop: "lock", row: lock })),
      ...answer.rows.map((lock): Change => ({ put: "lock", row: lock })),
      {
        put: "run",
        row: {
          ...current,
          phase: !resumed && changeSet.units.some((unit) => unit.movedFrom !== undefined) ? "moving" : "executing",
          status: current.status === "canceling" ? "canceling" : "running",
          waitingKind: null,
          waitingFor: null,
          unfinished: resumed ? current.unfinished : steps.length,
          concurrency: changeSet.governance.concurrency,
        },
      },
      { put: "changeSet", row: { ...latest, phase: "running", applyRun: run.id, reason: null } },
      ...(resumed ? [] : steps.map((step): Change => ({ put: "step", row: step }))),
      ...(resumed ? [] : edges.map((edge): Change => ({ put: "stepEdge", row: edge }))),
      ...answer.rows
        .filter((lock) => lock.kind === "tier")
        .map((lock) =>
          draftEvent("lock", "taken", lock.name, `run:${run.id}`, { kind: lock.kind, mode: lock.mode, run: run.id }),
        ),
      draftEvent("run", "started", run.id, "orchestrator", {
        changeSet: changeSet.id,
        digest: changeSet.digest,
        units: steps.length,
      }),
    ]);
    return [{ kind: "notify", run: run.id }];
  });
  if (blocked !== undefined) return wait(context, tenant, run, "lock", blocked);
  return moved;
}
