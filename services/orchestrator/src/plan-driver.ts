import { as } from "@xcloudflow/chassis/caller";
import { currentTraceparent } from "@xcloudflow/chassis/tracing";
import type { ErrorCategory } from "@xcloudflow/model/coded-error";
import { type Compilation, type CompiledUnit, compilationSchema } from "@xcloudflow/model/compilation";
import { executionGraph } from "@xcloudflow/model/execution-order";
import { decodeDocument, parseJson } from "@xcloudflow/model/parse-json";
import { type UnitPlan, unitPlanSchema } from "@xcloudflow/model/unit-plan";
import { loadAppliedOutputs, producersOf } from "./applied-outputs.ts";
import { assembleChangeSet, assembleNothing } from "./assemble-change-set.ts";
import type { Change } from "./decision.ts";
import { governingCommits } from "./governing-commits.ts";
import type { OrchestratorContext } from "./orchestrator-context.ts";
import { draftEvent } from "./orchestrator-events.ts";
import { type KnownOutputs, type ResolvedInputs, resolveInputs } from "./resolve-inputs.ts";
import type { RunRow, StepRow, StepSummary } from "./rows.ts";
import { endRun, outcomeOf } from "./run-decision.ts";
import { describeFailure } from "./run-failure.ts";
import { actorSchema, runFailureSchema, runRequestSchema } from "./run-request.ts";
import { stepAsRead, transact } from "./run-transaction.ts";
import { endStep } from "./step-decision.ts";
import { queueTask, specifyTask, taskQueued } from "./task-specs.ts";

/** Does what a plan or drift run's phase asks for. Answers whether it moved, so that the next phase is looked at. */
export async function drivePlan(context: OrchestratorContext, tenant: string, run: RunRow): Promise<boolean> {
  switch (run.phase) {
    case "compiling":
      return compile(context, tenant, run);
    case "planning":
      return dispatchPlans(context, tenant, run);
    case "assembling":
      return assemble(context, tenant, run);
    default:
      return false;
  }
}

function loadCompilation(context: OrchestratorContext, tenant: string, run: RunRow): Promise<Compilation> {
  return context.compilations.get(run.id, async () => {
    const row = await context.store.transact(tenant, "read-compilation", (tx) => tx.compilation(run.id));
    return compilationSchema.parse(parseJson(row?.document ?? "null", `the compilation of ${run.id}`));
  });
}

async function compile(context: OrchestratorContext, tenant: string, run: RunRow): Promise<boolean> {
  const request = runRequestSchema.parse(JSON.parse(run.request));
  const actor = actorSchema.parse(JSON.parse(run.actor));
  const rows = await context.store.transact(tenant, "read-governance", (tx) => tx.governance(run.repository));
  const governance = governingCommits(rows);
  const answer = await context.planner.compile(
    {
      repository: run.repository,
      head: request.head,
      base: request.base,
      environment: request.environment,
      dirty: request.dirty,
      only: request.only,
      replace: request.replace,
      destroy: request.destroy,
      governanceCommit: governance.latest,
      governanceCommits: governance.byEnvironment,
      appliedOnly: run.kind === "drift",
    },
    as(actor),
  );
  const compilation = decodeDocument(compilationSchema, answer.compilationDocument, "the planner's compilation");
  const selected = compilation.units.filter((unit) => unit.selected);
  // Destroyed units are planned from what they were applied with: their plans wait for nobody, and nobody for them.
  const graph = executionGraph(
    selected.filter((unit) => unit.action === "apply"),
    compilation.edges,
  );
  const waitsFor = (address: string): readonly string[] => graph.dependenciesOf.get(address) ?? [];
  return transact(context, tenant, "record-compilation", run, async (current, write) => {
    const started = {
      ...current,
      phase: "planning",
      environment: compilation.environment,
      unfinished: selected.length,
      concurrency: compilation.governance.concurrency,
    } as const;
    await write([
      { put: "run", row: started },
      { put: "compilation", row: { run: run.id, document: new TextDecoder().decode(answer.compilationDocument) } },
      ...selected.map(
        (unit): Change => ({ put: "step", row: newStep(run.id, unit, "plan", waitsFor(unit.address).length) }),
      ),
      ...graph.nodes.flatMap((to) =>
        waitsFor(to).map((from): Change => ({ put: "stepEdge", row: { run: run.id, from, to } })),
      ),
      draftEvent("run", "compiled", run.id, actor.subject, {
        commit: compilation.commit,
        environment: compilation.environment,
        units: compilation.units.length,
        selected: selected.length,
      }),
    ]);
  });
}

export function newStep(
  run: string,
  unit: Pick<CompiledUnit, "address" | "engine" | "route"> & { readonly action: string },
  stage: StepRow["stage"],
  waitingOn: number,
): StepRow {
  return {
    run,
    unit: unit.address,
    status: waitingOn === 0 ? "ready" : "pending",
    stage,
    engine: unit.engine,
    lifecycle: unit.route.lifecycle.value,
    destroy: unit.action === "destroy",
    waitingOn,
    attempts: 0,
    reason: null,
    outcomeWasUnknown: false,
    plan: null,
    result: null,
    inputs: null,
    successor: null,
    startedAt: null,
    endedAt: null,
  };
}

async function dispatchPlans(context: OrchestratorContext, tenant: string, run: RunRow): Promise<boolean> {
  if (run.unfinished === 0) return finishPlanning(context, tenant, run);
  const ready = await context.store.transact(tenant, "read-steps-to-drive", (tx) => tx.stepsToDrive(run.id));
  if (ready.length === 0) return false;

  const compilation = await loadCompilation(context, tenant, run);
  const units = new Map(compilation.units.map((unit) => [unit.address, unit]));
  const wanted = ready.flatMap((step) => units.get(step.unit) ?? []);
  const producers = producersOf(wanted.map((unit) => unit.inputs));
  const finished = await context.store.transact(tenant, "read-producers", (tx) => tx.stepsOf(run.id, producers));
  const planned = new Map(finished.flatMap((step) => (step.plan === null ? [] : [[step.unit, planOf(step)] as const])));
  const applied = await loadAppliedOutputs(
    context.state,
    tenant,
    wanted.map((unit) => unit.inputs),
  );
  const outputsOf = (producer: string): KnownOutputs => plannedOutputs(planned.get(producer), applied(producer));

  const now = context.clock.now().toISOString();
  const resolved = wanted.map((unit) => ({ unit, inputs: tryResolve(unit, outputsOf) }));
  const dispatched = await transact(context, tenant, "dispatch-plans", run, async (current, write, tx) => {
    const states = new Map((await tx.stepsToDrive(run.id)).map((step) => [step.unit, step]));
    const tasks = resolved.flatMap(({ unit, inputs }) => {
      const step = states.get(unit.address);
      if (step?.status !== "ready" || "error" in inputs) return [];
      const spec = specifyTask(
        tenant,
        current.environment,
        unit,
        {
          kind: "plan",
          ...inputs,
          destroy: step.destroy,
          movedFrom: unit.movedFrom,
          traceparent: currentTraceparent(),
        },
        context.timing.taskTimeoutSeconds,
      );
      return [
        {
          task: queueTask(context.ids.next("task"), current, spec, [], now),
          step: { ...step, status: "running", startedAt: now, inputs: JSON.stringify(inputs.inputs) } as const,
        },
      ];
    });
    await write(
      tasks.flatMap(({ task, step }): Change[] => [
        { put: "step", row: step },
        { put: "task", row: task },
        taskQueued(task),
      ]),
    );
    return tasks.map(({ task }) => ({ kind: "offer", engine: task.engine, pool: task.pool }) as const);
  });
  for (const { unit, inputs } of resolved) {
    const step = ready.find((other) => other.unit === unit.address);
    if ("error" in inputs && step !== undefined) await refuseStep(context, tenant, run, step, inputs.error);
  }
  return dispatched;
}

function tryResolve(
  unit: CompiledUnit,
  outputsOf: (producer: string) => KnownOutputs,
): ResolvedInputs | { readonly error: unknown } {
  try {
    return resolveInputs(unit.address, unit.inputs, outputsOf);
  } catch (error) {
    return { error };
  }
}

/** A step that cannot even be asked of an engine fails with the reason; others go on. */
export async function refuseStep(
  context: OrchestratorContext,
  tenant: string,
  run: RunRow,
  step: StepRow,
  error: unknown,
): Promise<void> {
  await transact(context, tenant, "refuse-step", run, async (current, write, tx) => {
    const fresh = await stepAsRead(tx, step);
    if (fresh === undefined) return [];
    const decision = endStep(
      current,
      fresh,
      "failed",
      JSON.stringify(describeFailure(error)),
      await tx.steps(run.id),
      await tx.edges(run.id),
      context.clock.now().toISOString(),
    );
    await write(decision.changes);
    return decision.commands;
  });
}

/** A producer in this change gives what its plan says; one that is not, or does not change, what it was applied with. */
function plannedOutputs(plan: UnitPlan | undefined, applied: KnownOutputs): KnownOutputs {
  if (plan === undefined) return applied;
  if (plan.status === "deferred") return { kind: "allUnknown" };
  if (plan.status === "unchanged" && Object.keys(plan.outputs).length === 0) return applied;
  return { kind: "known", outputs: plan.outputs };
}

export function planOf(step: StepRow): UnitPlan {
  return unitPlanSchema.parse(parseJson(step.plan ?? "null", `plan of ${step.unit}`));
}

async function finishPlanning(context: OrchestratorContext, tenant: string, run: RunRow): Promise<boolean> {
  const steps = await context.store.transact(tenant, "read-step-summaries", (tx) => tx.stepSummaries(run.id));
  return transact(context, tenant, "finish-planning", run, async (current, write) => {
    const outcome = outcomeOf(current, steps);
    if (outcome === "succeeded") {
      await write([{ put: "run", row: { ...current, phase: "assembling" } }]);
      return [];
    }
    const failed = steps.find((step) => step.status === "failed");
    const failure = failed === undefined ? {} : { failure: failureOfStep(failed) };
    const decision = endRun(current, outcome, [], context.clock.now().toISOString(), failure);
    await write(decision.changes);
    return decision.commands;
  });
}

/** What an engine says when the world moved on between the approval and its start; it has changed nothing then. */
const STALE_CODES: ReadonlySet<string> = new Set(["PLAN_STALE", "ENGINE_VERSION_CHANGED"]);

/** What an engine says of a unit whose files do not fit together: people correct them, as they do any other file. */
const INVALID_CODES: ReadonlySet<string> = new Set([
  "UNIT_INPUT_MISSING",
  "UNIT_INPUT_UNDECLARED",
  "UNIT_INPUT_INVALID",
  "UNIT_ENGINE_CONFIG_INVALID",
]);

function categoryOfCode(code: string): ErrorCategory {
  if (STALE_CODES.has(code)) return "stale";
  return INVALID_CODES.has(code) ? "invalid" : "internal";
}

/** The first failed unit's failure as the run's own. */
export function failureOfStep(step: StepSummary): string {
  const parsed = runFailureSchema.partial({ category: true }).safeParse(safeJson(step.reason));
  const failure = parsed.success ? parsed.data : { code: "UNIT_FAILED", message: step.reason ?? "failed" };
  return JSON.stringify({
    ...failure,
    category: failure.category ?? categoryOfCode(failure.code),
    where: failure.where === undefined || failure.where === step.unit ? step.unit : `${step.unit} (${failure.where})`,
  });
}

function safeJson(text: string | null): unknown {
  try {
    return JSON.parse(text ?? "null");
  } catch {
    return null;
  }
}

async function assemble(context: OrchestratorContext, tenant: string, run: RunRow): Promise<boolean> {
  const steps = await context.store.transact(tenant, "read-steps", (tx) => tx.steps(run.id));
  const compilation = await loadCompilation(context, tenant, run);
  const plans = steps.map(planOf);
  if (run.kind === "drift") await recordDrift(context, tenant, run, plans);
  const changes = plans.some((plan) => plan.status !== "unchanged");
  if (plans.length === 0 || (run.kind === "drift" && !changes)) return assembleNothing(context, tenant, run);
  return assembleChangeSet(context, tenant, run, compilation, plans);
}

async function recordDrift(
  context: OrchestratorContext,
  tenant: string,
  run: RunRow,
  plans: readonly UnitPlan[],
): Promise<void> {
  const actor = actorSchema.parse(JSON.parse(run.actor));
  for (const plan of plans) {
    const changesDocument = new TextEncoder().encode(JSON.stringify(plan.drift));
    await context.state.putDrift(
      { unit: plan.address, run: run.id, changesDocument },
      as({ ...actor, tenant, roles: ["service"] }),
    );
  }
}
