import type { Caller } from "@xcloudflow/chassis/caller";
import type { OrchestratorContext } from "./orchestrator-context.ts";
import { performCommands } from "./perform-commands.ts";
import type { RunRow } from "./rows.ts";
import { cancelRun, endRun } from "./run-decision.ts";
import { RunNotFoundError } from "./watch-run.ts";

/** Asks a run to stop. A run in which nothing has begun ends at once; asking again, or too late, changes nothing. */
export async function cancelRunById(
  context: OrchestratorContext,
  tenant: string,
  caller: Caller,
  id: string,
  reason: string,
): Promise<RunRow> {
  const { run, commands } = await context.store.transact(tenant, "cancel-run", async (tx) => {
    const current = await tx.lockRun(id);
    if (current === undefined) throw new RunNotFoundError(id);
    if (current.phase === "done" || current.status === "canceling") return { run: current, commands: [] };
    const now = context.clock.now().toISOString();
    const steps = await tx.steps(id);
    if (steps.length === 0) {
      const decision = endRun(
        current,
        "canceled",
        (await tx.locks()).filter((lock) => lock.run === id),
        now,
      );
      await tx.write(decision.changes);
      return {
        run: { ...current, phase: "done" as const, status: "canceled" as const, endedAt: now },
        commands: decision.commands,
      };
    }
    const decision = cancelRun(current, steps, await tx.openTasks(id), caller.subject, reason, now);
    await tx.write(decision.changes);
    return { run: { ...current, status: "canceling" as const }, commands: decision.commands };
  });
  performCommands(context, tenant, commands);
  return run;
}
