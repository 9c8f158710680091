import { inChildSpan, inTraceOf, isTraced, quietly } from "@xcloudflow/chassis/tracing";
import { driveApply } from "./apply-driver.ts";
import type { OrchestratorContext } from "./orchestrator-context.ts";
import { performCommands } from "./perform-commands.ts";
import { drivePlan } from "./plan-driver.ts";
import type { RunRow } from "./rows.ts";
import { failRun, stopTask } from "./run-decision.ts";
import { describeFailure, isFinal } from "./run-failure.ts";
import { runRequestSchema } from "./run-request.ts";

/** Moves runs forward: in this process one drive of a run at a time, as far as they go without people, workers or the clock. */
export interface RunDriver {
  /** Something about this run has changed. Returns at once; calls during a drive lead to one more drive after it. */
  wake(tenant: string, run: string): void;
  /** Runs of the tenant that are being driven now. */
  driving(tenant: string): string[];
  /** Resolves when nothing is being driven. */
  idle(): Promise<void>;
  close(): Promise<void>;
}

/**
 * A driver reads the run's rows, does what its phase asks of other services, and writes the outcome in a transaction that
 * checks that the phase is still the same. A crash anywhere leaves a phase that is driven again by somebody else or after
 * a restart, and two replicas may drive one run at once; every call it makes may therefore be made twice, and every write
 * holds only for what it was decided on.
 */
export function createRunDriver(
  context: OrchestratorContext,
  onError: (run: string, error: unknown) => void,
): RunDriver {
  const driving = new Map<string, { tenant: string; again: boolean; prompted: boolean; done: Promise<void> }>();
  let closed = false;

  function wake(tenant: string, run: string): void {
    if (closed) return;
    const current = driving.get(run);
    if (current !== undefined) {
      current.again = true;
      current.prompted ||= isTraced();
      return;
    }
    const entry = { tenant, again: false, prompted: isTraced(), done: Promise.resolve() };
    driving.set(run, entry);
    entry.done = (async () => {
      do {
        entry.again = false;
        const prompted = entry.prompted;
        entry.prompted = false;
        await inTraceOf(undefined, () => driveOnce(context, tenant, run, prompted)).catch((error: unknown) =>
          onError(run, error),
        );
      } while (entry.again && !closed);
      driving.delete(run);
    })();
  }

  return {
    wake,
    driving: (tenant) => [...driving].flatMap(([run, entry]) => (entry.tenant === tenant ? [run] : [])),
    async idle() {
      while (driving.size > 0) await Promise.all([...driving.values()].map((entry) => entry.done));
    },
    async close() {
      closed = true;
      await Promise.all([...driving.values()].map((entry) => entry.done));
    },
  };
}

async function driveOnce(context: OrchestratorContext, tenant: string, id: string, prompted: boolean): Promise<void> {
  for (let followed = prompted; ; followed = true) {
    const run = await context.store.transact(tenant, "read-run", (tx) => tx.run(id));
    if (run === undefined || run.phase === "done") return;
    let moved: boolean;
    try {
      moved = await traceDrive(run, tenant, followed, () =>
        run.kind === "apply" ? driveApply(context, tenant, run) : drivePlan(context, tenant, run),
      );
    } catch (error) {
      if (!isFinal(error)) throw error;
      await endFailed(context, tenant, run, error);
      return;
    }
    if (!moved) return;
  }
}

/** A part of the trace of whoever asked for the run. Looking by the clock leaves no span, or a run that waits for days would be made of them. */
function traceDrive<T>(run: RunRow, tenant: string, followed: boolean, drive: () => Promise<T>): Promise<T> {
  const { traceparent } = runRequestSchema.parse(JSON.parse(run.request));
  const attributes = { "xcf.run": run.id, "xcf.run.kind": run.kind, "xcf.run.phase": run.phase, "xcf.tenant": tenant };
  return inTraceOf(traceparent, () =>
    followed ? inChildSpan(`drive ${run.kind} ${run.phase}`, { attributes }, drive) : quietly(drive),
  );
}

async function endFailed(context: OrchestratorContext, tenant: string, run: RunRow, error: unknown): Promise<void> {
  const commands = await context.store.transact(tenant, "fail-run", async (tx) => {
    const current = await tx.lockRun(run.id);
    if (current === undefined || current.phase !== run.phase) return [];
    // No task of an ended run is begun; what is out hears of it with its next heartbeat.
    const tasks = (await tx.openTasks(run.id)).map(stopTask);
    const locks = (await tx.locks()).filter((lock) => lock.run === run.id);
    const changeSet =
      current.changeSet === null || current.kind !== "apply" ? undefined : await tx.changeSet(current.changeSet);
    const decision = failRun(current, describeFailure(error), locks, changeSet, context.clock.now().toISOString());
    await tx.write([...decision.changes, ...tasks]);
    return decision.commands;
  });
  performCommands(context, tenant, commands);
}
