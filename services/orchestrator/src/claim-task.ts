import { create } from "@bufbuild/protobuf";
import { as, EVERY_TENANT, serviceCaller } from "@xcloudflow/chassis/caller";
import { inChildSpan, inTraceOf } from "@xcloudflow/chassis/tracing";
import { CodedError } from "@xcloudflow/model/coded-error";
import { decodeDocument } from "@xcloudflow/model/parse-json";
import { type TaskSpec, taskSpecSchema } from "@xcloudflow/model/task-spec";
import { type Assignment, AssignmentSchema } from "@xcloudflow/proto/runner/v1/runner_pb";
import type { OrchestratorContext } from "./orchestrator-context.ts";
import { offerTopic, performCommands } from "./perform-commands.ts";
import { acceptReport } from "./report-task.ts";
import type { TaskRow } from "./rows.ts";
import { claimTask, raisesFence } from "./task-decision.ts";
import { referencesOf } from "./task-specs.ts";

export interface ClaimQuery {
  readonly worker: string;
  readonly engines: readonly { readonly name: string; readonly version: string }[];
  readonly pool: string;
  readonly waitMilliseconds: number;
}

/** Whose tasks a worker takes: one tenant's, or everybody's in turn. */
export type Served = string | typeof EVERY_TENANT;

/** Waits for a task one of the worker's engines may take, leases it, and fences earlier attempts off before handing it out. */
export async function waitForTask(
  context: OrchestratorContext,
  served: Served,
  query: ClaimQuery,
  signal: AbortSignal,
): Promise<Assignment | undefined> {
  const deadline = context.clock.now().getTime() + query.waitMilliseconds;
  if (served === EVERY_TENANT)
    for (const tenant of await context.store.activeTenants()) await noteWorker(context, tenant, query);
  else await noteWorker(context, served, query);
  for (;;) {
    const topics = [...new Set(query.engines.map(({ name }) => name))].map((engine) =>
      context.signals.wait(
        offerTopic(engine),
        Math.max(0, Math.min(1_000, deadline - context.clock.now().getTime())),
        signal,
      ),
    );
    let unreadable = false;
    for (const tenant of served === EVERY_TENANT ? await tenantsInTurn(context, query) : [served]) {
      const claimed = await claim(context, tenant, query);
      if (claimed === undefined) continue;
      if (served === EVERY_TENANT) context.lastServed.tenant = tenant;
      const assignment = await assign(context, tenant, query.worker, claimed);
      if (assignment !== undefined) return assignment;
      unreadable = true;
    }
    if (unreadable) continue;
    if (context.clock.now().getTime() >= deadline || signal.aborted) return undefined;
    await Promise.race(topics);
  }
}

/** Whether somebody must still be prompted to a task: it waits for its turn, or for its worker to live. */
export async function isTaskOpen(context: OrchestratorContext, tenant: string, id: string): Promise<boolean> {
  const task = await context.store.transact(tenant, "look-at-task", (tx) => tx.peekTask(id));
  return task !== undefined && (task.status === "queued" || task.status === "leased");
}

/** Tenants with something to do, beginning after the one served last, so that a busy one does not keep others waiting. */
async function tenantsInTurn(context: OrchestratorContext, query: ClaimQuery): Promise<string[]> {
  const tenants = await context.store.tenantsWithTasks({
    engines: query.engines.map((engine) => engine.name),
    pool: query.pool,
    now: context.clock.now().toISOString(),
  });
  return rotateAfter(tenants, context.lastServed.tenant);
}

/** `sorted` from the first that comes after `last`, round to `last` itself. */
export function rotateAfter(sorted: readonly string[], last: string): string[] {
  const start = sorted.findIndex((name) => name > last);
  return start === -1 ? [...sorted] : [...sorted.slice(start), ...sorted.slice(0, start)];
}

/** How old the record of a worker may get while it goes on asking; readers take ten minutes for absence. */
const NOTED_MILLISECONDS = 30_000;

async function noteWorker(context: OrchestratorContext, tenant: string, query: ClaimQuery): Promise<void> {
  const offered = new Map<string, string[]>();
  for (const { name, version } of query.engines) offered.set(name, [...(offered.get(name) ?? []), version]);
  const engines = JSON.stringify(Object.fromEntries(offered));
  const now = context.clock.now();
  const name = `${tenant} ${query.worker}`;
  const noted = context.notedWorkers.get(name);
  if (noted?.engines === engines && now.getTime() - noted.at < NOTED_MILLISECONDS) return;
  await context.store.transact(tenant, "note-worker", (tx) =>
    tx.write([{ put: "worker", row: { id: query.worker, engines, seenAt: now.toISOString() } }]),
  );
  context.notedWorkers.set(name, { engines, at: now.getTime() });
}

async function claim(context: OrchestratorContext, tenant: string, query: ClaimQuery): Promise<TaskRow | undefined> {
  const engines = [...new Set(query.engines.map((engine) => engine.name))];
  const claimed = await context.store.transact(tenant, "claim-task", async (tx) => {
    const now = context.clock.now();
    const task = await tx.claimableTask({ engines, pool: query.pool, now: now.toISOString() });
    if (task === undefined) return undefined;
    const attempt = await tx.raiseFence(task.unit);
    const leaseExpiresAt = new Date(now.getTime() + context.timing.lease).toISOString();
    const decision = claimTask(task, attempt, query.worker, now.toISOString(), leaseExpiresAt);
    await tx.write(decision.changes);
    return {
      task: { ...task, attempt, leaseExpiresAt, worker: query.worker },
      commands: decision.commands,
    };
  });
  if (claimed === undefined) return undefined;
  performCommands(context, tenant, claimed.commands);
  return claimed.task;
}

/** `undefined` for a task that cannot be read, which ends here: no worker could do anything with it. */
async function assign(
  context: OrchestratorContext,
  tenant: string,
  worker: string,
  task: TaskRow,
): Promise<Assignment | undefined> {
  let spec: TaskSpec;
  try {
    spec = decodeDocument(taskSpecSchema, new TextEncoder().encode(task.spec), `task ${task.id}`);
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    const failure = { code: "TASK_UNREADABLE", message: error.message, hint: "cancel the run and plan again" };
    const result = { kind: "failed", failure, effects: "none", retryable: false } as const;
    await acceptReport(context, tenant, { worker, task: task.id, attempt: task.attempt, result, lines: [] });
    return undefined;
  }
  const attributes = { "xcf.task": task.id, "xcf.unit": task.unit, "xcf.attempt": task.attempt };
  return inTraceOf(spec.traceparent, () =>
    inChildSpan("assign task", { attributes }, () => prepareAssignment(context, tenant, task, spec)),
  );
}

async function prepareAssignment(
  context: OrchestratorContext,
  tenant: string,
  task: TaskRow,
  spec: TaskSpec,
): Promise<Assignment> {
  if (raisesFence(task.kind)) {
    const service = as(serviceCaller(tenant, "orchestrator"));
    const fence = { unit: task.unit, fence: BigInt(task.attempt) };
    await Promise.all([context.state.raiseFence(fence, service), context.secrets.raiseFence(fence, service)]);
  }
  return create(AssignmentSchema, {
    tenant,
    task: task.id,
    run: task.run,
    unit: task.unit,
    attempt: BigInt(task.attempt),
    specDocument: new TextEncoder().encode(task.spec),
    attemptToken: await signToken(context, tenant, task, spec),
    leaseExpiresAt: task.leaseExpiresAt ?? "",
    unknownAttempts: task.unknownAttempts.split(",").filter(Boolean).map(BigInt),
  });
}

async function signToken(context: OrchestratorContext, tenant: string, task: TaskRow, spec: TaskSpec): Promise<string> {
  const { secrets, outputs } = referencesOf(spec);
  const issuedAt = context.clock.now();
  const expiresAt = new Date(issuedAt.getTime() + spec.timeoutSeconds * 1_000 + context.timing.lease);
  return context.signAttempt(
    {
      tenant,
      environment: spec.environment,
      // A plan reads the state it plans against, which is another unit's before a move.
      unit: spec.stateAddress ?? task.unit,
      run: task.run,
      task: task.id,
      attempt: task.attempt,
      fence: task.attempt,
      purpose: raisesFence(task.kind) ? "apply" : "plan",
      digest: spec.plan?.digest ?? "",
      secrets,
      outputs,
    },
    issuedAt,
    expiresAt,
  );
}
