import type { Caller } from "@xcloudflow/chassis/caller";
import { CodedError } from "@xcloudflow/model/coded-error";
import type { Change, Command } from "./decision.ts";
import type { OrchestratorContext } from "./orchestrator-context.ts";
import { draftEvent } from "./orchestrator-events.ts";
import { performCommands } from "./perform-commands.ts";
import type { LockRow } from "./rows.ts";

/** Thrown when a lock is to be taken from a run that is still going on. */
export class LockInUseError extends CodedError {
  constructor(lock: LockRow) {
    super("LOCK_IN_USE", "conflict", {
      where: lock.name,
      what: `the lock is held by ${lock.run}, which is still going on`,
      hint: `\`xcf cancel ${lock.run}\` first, or wait for it`,
    });
  }
}

/** Thrown when there is no lock of that name. */
export class LockNotFoundError extends CodedError {
  constructor(kind: string, name: string) {
    super("LOCK_NOT_FOUND", "notFound", {
      where: name,
      what: `there is no ${kind} lock of that name`,
      hint: "`xcf unlock` without a name lists the locks",
    });
  }
}

/** Takes locks away from runs that have ended. Runs that waited for them look again. */
export async function unlock(
  context: OrchestratorContext,
  tenant: string,
  caller: Caller,
  kind: string,
  name: string,
  reason: string,
): Promise<LockRow[]> {
  const { released, commands } = await context.store.transact(tenant, "unlock", async (tx) => {
    const found = (await tx.locks()).filter((lock) => lock.kind === kind && lock.name === name);
    if (found.length === 0) throw new LockNotFoundError(kind, name);
    for (const lock of found) {
      const run = await tx.run(lock.run);
      if (run !== undefined && run.phase !== "done" && run.status !== "waiting") throw new LockInUseError(lock);
    }
    await tx.write(
      found.flatMap((row): Change[] => [
        { drop: "lock", row },
        draftEvent("lock", "broken", row.name, caller.subject, { kind: row.kind, run: row.run, reason }),
      ]),
    );
    const waiting = (await tx.runs({ active: true, limit: 1000 })).filter((run) => run.waitingKind === "lock");
    return { released: found, commands: waiting.map((run): Command => ({ kind: "drive", run: run.id })) };
  });
  performCommands(context, tenant, commands);
  return released;
}
