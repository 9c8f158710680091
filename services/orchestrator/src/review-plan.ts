import type { ChangeSet, ChangeSetUnit, Finding } from "@xcloudflow/model/change-set";
import { policyVerdictSchema } from "@xcloudflow/model/change-set";
import { CodedError } from "@xcloudflow/model/coded-error";
import { checkEnvelope, type EnvelopeViolation } from "@xcloudflow/model/envelope";
import { newDemands } from "@xcloudflow/model/new-demands";
import { decodeDocument } from "@xcloudflow/model/parse-json";
import { approvedPlan } from "./apply-plan.ts";
import { evaluatePlans, storeChangeSet } from "./assemble-change-set.ts";
import type { OrchestratorContext } from "./orchestrator-context.ts";
import { draftEvent } from "./orchestrator-events.ts";
import { planOf, refuseStep } from "./plan-driver.ts";
import type { RunRow, StepRow } from "./rows.ts";
import { stepAsRead, transact } from "./run-transaction.ts";

/** Thrown when policy denies the real plan of a unit whose provisional plan it had allowed. */
export class RealPlanDeniedError extends CodedError {
  constructor(unit: string, denials: readonly Finding[]) {
    super("REAL_PLAN_DENIED", "denied", {
      where: unit,
      what: `policy denies its real plan: ${denials.map((denial) => denial.message).join("; ")}`,
      hint: "change what policy denies and plan again",
    });
  }
}

/**
 * A plan that nobody has approved as it is — inputs have become known, or an attempt's outcome was unknown — goes on only
 * inside the approved envelope and with policy's word. Otherwise people are asked about exactly this plan.
 */
export async function reviewPlan(
  context: OrchestratorContext,
  tenant: string,
  run: RunRow,
  changeSet: ChangeSet,
  unit: ChangeSetUnit,
  step: StepRow,
): Promise<boolean> {
  const real = planOf(step);
  const scope = {
    environment: changeSet.environment,
    repository: changeSet.repository,
    commit: changeSet.commit,
    authors: changeSet.authors,
    governance: changeSet.governance,
  };
  const answer = await evaluatePlans(context, tenant, scope, [{ unit, plan: real }]);
  const policy = decodeDocument(policyVerdictSchema, answer.verdictDocument, "policy's verdict");
  if (policy.verdict === "deny") {
    await refuseStep(context, tenant, run, step, new RealPlanDeniedError(step.unit, policy.denials));
    return true;
  }
  if (real.status === "unchanged")
    return advance(context, tenant, run, step, { stage: "record", status: "recording", result: null });
  const verdict = checkEnvelope(approvedPlan(unit), real, {
    policy,
    approvedWarnings: changeSet.policy.warnings.filter((warning) => warning.unit === unit.address),
    sensitivePaths: answer.sensitivePaths
      .filter((path) => path.unit === unit.address)
      .map(({ resource, path }) => ({ resource, path })),
    newDemands: newDemands(changeSet, unit, real, answer.tightenings),
  });
  if (verdict.within) return advance(context, tenant, run, step, { stage: "apply", status: "ready" });
  return askPeople(context, tenant, run, changeSet, unit, step, verdict.violations);
}

async function advance(
  context: OrchestratorContext,
  tenant: string,
  run: RunRow,
  step: StepRow,
  patch: Partial<StepRow>,
): Promise<boolean> {
  return transact(context, tenant, "accept-real-plan", run, async (_current, write, tx) => {
    const fresh = await stepAsRead(tx, step);
    if (fresh === undefined) return;
    await write([
      { put: "step", row: { ...fresh, ...patch } },
      draftEvent("step", "reviewed", step.unit, "orchestrator", { run: run.id, within: true }),
    ]);
  });
}

/** The real plan becomes a ChangeSet of its own with an approval gate; the step waits for it. */
async function askPeople(
  context: OrchestratorContext,
  tenant: string,
  run: RunRow,
  changeSet: ChangeSet,
  unit: ChangeSetUnit,
  step: StepRow,
  violations: readonly EnvelopeViolation[],
): Promise<boolean> {
  const real = planOf(step);
  const sentences = violations.map(({ resource, path, message }) =>
    [resource, path, message].filter((part) => part !== "").join(" "),
  );
  const compilation = {
    tenant,
    repository: changeSet.repository,
    environment: changeSet.environment,
    commit: changeSet.commit,
    baseCommit: changeSet.baseCommit,
    dirty: false,
    authors: changeSet.authors,
    units: [
      {
        address: unit.address,
        action: unit.destroy ? ("destroy" as const) : ("apply" as const),
        engine: unit.engine,
        route: {
          ...unit.route,
          gate: { ...unit.route.gate, value: { ...unit.route.gate.value, kind: "forced" as const } },
        },
        module: unit.module,
        inputs: unit.inputs,
        engineConfig: unit.engineConfig,
        credentials: unit.credentials,
        ignoreDrift: unit.ignoreDrift,
        ...(unit.pool === undefined ? {} : { pool: unit.pool }),
        ...(unit.owner === undefined ? {} : { owner: unit.owner }),
        contentHash: unit.contentHash,
        selected: true,
        reason: "changed" as const,
        replace: unit.replace,
      },
    ],
    edges: [],
    governance: { ...changeSet.governance, changes: [] },
  };
  const plan = { ...real, hazards: [...real.hazards, ...sentences.map((sentence) => `not as approved: ${sentence}`)] };
  const { row } = await storeChangeSet(context, tenant, {
    run: { ...run, actor: run.actor },
    compilation,
    plans: [plan],
    origin: { kind: "manual", ref: changeSet.id },
    series: `real ${changeSet.id} ${unit.address}`,
    parent: run.id,
  });
  const authored = {
    ...row,
    author: changeSet.author,
    authors: JSON.stringify([...new Set([changeSet.author, ...changeSet.authors])]),
  };
  return transact(context, tenant, "ask-about-real-plan", run, async (_current, write, tx) => {
    const fresh = await stepAsRead(tx, step);
    if (fresh === undefined) return [];
    await write([
      { put: "changeSet", row: authored },
      {
        put: "step",
        row: {
          ...fresh,
          status: "waiting",
          successor: authored.id,
          reason: `its real plan is not what was approved (${sentences.slice(0, 3).join("; ")}): \`xcf approve ${authored.id}\``,
        },
      },
      draftEvent("change-set", "planned", authored.id, changeSet.author, {
        digest: authored.digest,
        parent: changeSet.id,
        unit: unit.address,
      }),
    ]);
    return [
      { kind: "drive", run: run.id },
      { kind: "notify", run: run.id },
    ];
  });
}
