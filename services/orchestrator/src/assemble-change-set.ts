import { create } from "@bufbuild/protobuf";
import { as, serviceCaller } from "@xcloudflow/chassis/caller";
import { type ChangeSet, changeSetSchema, type Phase } from "@xcloudflow/model/change-set";
import type { Compilation } from "@xcloudflow/model/compilation";
import { knownNames } from "@xcloudflow/model/identities";
import { decodeDocument, encodeDocument } from "@xcloudflow/model/parse-json";
import type { UnitPlan } from "@xcloudflow/model/unit-plan";
import { type EvaluateResponse, SubjectSchema } from "@xcloudflow/proto/policy/v1/policy_pb";
import { gateStates } from "./approval-decision.ts";
import type { Change } from "./decision.ts";
import type { OrchestratorContext } from "./orchestrator-context.ts";
import { draftEvent } from "./orchestrator-events.ts";
import type { OrchestratorTransaction } from "./orchestrator-store.ts";
import { describeForPolicy, describeWholeForPolicy, type PolicyScope, type PolicyUnit } from "./policy-input.ts";
import type { ChangeSetRow, RunRow } from "./rows.ts";
import { endRun } from "./run-decision.ts";
import { actorSchema, runRequestSchema } from "./run-request.ts";
import { transact } from "./run-transaction.ts";

/**
 * Asks policy about plans; every revision that judges the change is asked, the stricter answer wins.
 *
 * @param whole the plans are a ChangeSet, which is judged as one too.
 */
export async function evaluatePlans(
  context: OrchestratorContext,
  tenant: string,
  scope: PolicyScope,
  subjects: readonly { readonly unit: PolicyUnit; readonly plan: UnitPlan }[],
  whole = false,
): Promise<EvaluateResponse> {
  return context.policy.evaluate(
    {
      revisions: scope.governance.policyRevisions,
      subjects: [
        ...subjects.map(({ unit, plan }) =>
          create(SubjectSchema, { unit: unit.address, input: encodeDocument(describeForPolicy(scope, unit, plan)) }),
        ),
        ...(whole
          ? [create(SubjectSchema, { unit: "", input: encodeDocument(describeWholeForPolicy(scope, subjects)) })]
          : []),
      ],
    },
    as(serviceCaller(tenant, "orchestrator")),
  );
}

/** Ends a plan run whose commit changes nothing. */
export async function assembleNothing(context: OrchestratorContext, tenant: string, run: RunRow): Promise<boolean> {
  return transact(context, tenant, "finish-empty-plan", run, async (current, write) => {
    const decision = endRun(current, "succeeded", [], context.clock.now().toISOString());
    await write(decision.changes);
    return decision.commands;
  });
}

/** Policy, assembly, storage, then the row that gives the ChangeSet its phase. Everything before the row may be repeated. */
export async function assembleChangeSet(
  context: OrchestratorContext,
  tenant: string,
  run: RunRow,
  compilation: Compilation,
  plans: readonly UnitPlan[],
): Promise<boolean> {
  const request = runRequestSchema.parse(JSON.parse(run.request));
  const origin: ChangeSet["origin"] = { kind: run.kind === "drift" ? "drift" : "manual" };
  const series = `${run.kind === "drift" ? "drift" : "manual"} ${actorSchema.parse(JSON.parse(run.actor)).subject} ${run.repository} ${compilation.environment} ${request.destroy ? "destroy" : "apply"}`;
  const { row } = await storeChangeSet(context, tenant, { run, compilation, plans, origin, series, parent: null });
  return transact(context, tenant, "record-change-set", run, async (current, write, tx) => {
    const now = context.clock.now().toISOString();
    const older = row.dirty ? [] : await lockOpen(tx, await tx.changeSets({ ...ofSeries(row), limit: 100 }));
    const decision = endRun(current, "succeeded", [], now, { changeSet: row.id });
    await write([
      ...older.flatMap((other): Change[] => [
        { put: "changeSet", row: { ...other, phase: "superseded", reason: `superseded by ${row.id}` } },
        draftEvent("change-set", "superseded", other.id, "orchestrator", { by: row.id }),
      ]),
      { put: "changeSet", row },
      draftEvent("change-set", row.phase === "denied" ? "denied" : "planned", row.id, row.author, {
        digest: row.digest,
        environment: row.environment,
        commit: row.commit,
        units: plans.length,
      }),
      ...decision.changes,
    ]);
    return decision.commands;
  });
}

function ofSeries({ environment, series }: ChangeSetRow): { environment: string; series: string } {
  return { environment, series };
}

/** Those that still wait to be applied, locked: people vote on them and start them meanwhile. */
export async function lockOpen(
  tx: OrchestratorTransaction,
  rows: readonly ChangeSetRow[],
): Promise<readonly ChangeSetRow[]> {
  const open: ChangeSetRow[] = [];
  for (const { id, phase } of rows) {
    if (phase !== "open" && phase !== "approved") continue;
    const row = await tx.changeSet(id);
    if (row?.phase === "open" || row?.phase === "approved") open.push(row);
  }
  return open;
}

interface Draft {
  readonly run: RunRow;
  readonly compilation: Compilation;
  readonly plans: readonly UnitPlan[];
  readonly origin: ChangeSet["origin"];
  readonly series: string;
  readonly parent: string | null;
}

/** Makes the immutable document, stores it, and answers the row that is still to be written. */
export async function storeChangeSet(
  context: OrchestratorContext,
  tenant: string,
  draft: Draft,
): Promise<{ row: ChangeSetRow; changeSet: ChangeSet }> {
  const { run, compilation, plans } = draft;
  const actor = actorSchema.parse(JSON.parse(run.actor));
  // Who asked is an author too, under every name by which they are known.
  const names = knownNames(compilation.governance.identities, [actor.subject, ...(actor.aliases ?? [])]);
  const units = new Map(compilation.units.map((unit) => [unit.address, unit]));
  const subjects = plans.flatMap((plan) => {
    const unit = units.get(plan.address);
    return unit === undefined ? [] : [{ unit, plan }];
  });
  const verdict = await evaluatePlans(context, tenant, compilation, subjects, true);
  const id = context.ids.next("cs");
  const now = context.clock.now();
  const service = as(serviceCaller(tenant, "orchestrator"));
  const assembled = await context.planner.assemble(
    {
      changeSetId: id,
      compilationDocument: encodeDocument({
        ...compilation,
        authors: [...new Set([...compilation.authors, ...names.filter((name) => name !== actor.subject)])],
      }),
      unitPlanDocuments: plans.map(encodeDocument),
      policyDocument: encodePolicy(verdict),
      author: actor.subject,
      originDocument: encodeDocument(draft.origin),
      createdAt: now.toISOString(),
      expiresAt: new Date(now.getTime() + context.timing.changeSetLifetime).toISOString(),
    },
    service,
  );
  const changeSet = decodeDocument(changeSetSchema, assembled.changeSetDocument, `ChangeSet ${id}`);
  await context.state.putChangeSet(
    { id, digest: assembled.digest, environment: compilation.environment, document: assembled.changeSetDocument },
    service,
  );
  const row: ChangeSetRow = {
    id,
    environment: compilation.environment,
    repository: run.repository,
    digest: assembled.digest,
    phase: "open",
    reason: null,
    dirty: compilation.dirty,
    author: actor.subject,
    authors: JSON.stringify([...new Set([...names, ...compilation.authors])]),
    identities: changeSet.governance.identities === undefined ? null : JSON.stringify(changeSet.governance.identities),
    gates: JSON.stringify(changeSet.gates),
    commit: compilation.commit,
    series: draft.series,
    planRun: run.id,
    applyRun: null,
    parent: draft.parent,
    createdAt: now.toISOString(),
    expiresAt: changeSet.expiresAt,
  };
  return { changeSet, row: { ...row, ...initialPhase(changeSet, row) } };
}

function initialPhase(changeSet: ChangeSet, row: ChangeSetRow): { phase: Phase; reason: string | null } {
  if (changeSet.policy.verdict === "deny") {
    const [first] = changeSet.policy.denials;
    return { phase: "denied", reason: first === undefined ? "denied by policy" : first.message };
  }
  const states = gateStates({
    changeSet: row,
    gates: changeSet.gates,
    authors: [],
    identities: undefined,
    approvals: [],
  });
  return { phase: states.every((gate) => gate.satisfied) ? "approved" : "open", reason: null };
}

/** The policy verdict and its gate tightenings as one document, the form `Assemble` takes. */
function encodePolicy(answer: EvaluateResponse): Uint8Array {
  const verdict: unknown = JSON.parse(new TextDecoder().decode(answer.verdictDocument));
  const tightenings = answer.tightenings.map(({ unit, gate, groups, quorum, reason }) => ({
    unit,
    gate,
    groups,
    quorum,
    reason,
  }));
  return encodeDocument({ verdict, tightenings });
}
