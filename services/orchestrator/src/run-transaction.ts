import type { Change, Command } from "./decision.ts";
import type { OrchestratorContext } from "./orchestrator-context.ts";
import type { OrchestratorTransaction } from "./orchestrator-store.ts";
import { performCommands } from "./perform-commands.ts";
import type { RunRow, StepRow } from "./rows.ts";

/** The step, if it is still where it was when what is to be written was decided: other replicas drive the same run. */
export async function stepAsRead(tx: OrchestratorTransaction, read: StepRow): Promise<StepRow | undefined> {
  const fresh = await tx.step(read.run, read.unit);
  return fresh !== undefined && isAsRead(fresh, read) ? fresh : undefined;
}

/** A step's count of attempts only grows, so one that has been round meanwhile is not taken for the one of before. */
export function isAsRead(fresh: StepRow, read: StepRow): boolean {
  return (
    fresh.status === read.status &&
    fresh.stage === read.stage &&
    fresh.attempts === read.attempts &&
    fresh.successor === read.successor
  );
}

/** One transaction on a run that is still in the phase it was read in; otherwise nothing, and the driver looks again. */
export async function transact(
  context: OrchestratorContext,
  tenant: string,
  name: string,
  run: RunRow,
  work: (
    current: RunRow,
    write: (changes: readonly Change[]) => Promise<void>,
    tx: OrchestratorTransaction,
  ) => Promise<readonly Command[] | undefined>,
): Promise<boolean> {
  const commands = await context.store.transact(tenant, name, async (tx) => {
    const current = await tx.lockRun(run.id);
    if (current === undefined || current.phase !== run.phase) return undefined;
    return (await work(current, (changes) => tx.write(changes), tx)) ?? [];
  });
  performCommands(context, tenant, commands ?? []);
  return commands !== undefined;
}
