import type { Caller } from "@xcloudflow/chassis/caller";
import { normalizeIdentity } from "@xcloudflow/model/identities";
import type { OrchestratorContext } from "./orchestrator-context.ts";
import type { ChangeSetRow } from "./rows.ts";
import { ChangeSetNotFoundError } from "./start-run.ts";

/** By its own id, by the id of a run that made or applies it, or — with no id — the caller's newest. */
export async function findChangeSetRow(
  context: OrchestratorContext,
  caller: Caller,
  id: string,
): Promise<ChangeSetRow> {
  const row = await context.store.transact(caller.tenant, "find-change-set", async (tx) => {
    if (id === "")
      return (await tx.changeSets({ limit: 200 })).find(
        (candidate) => normalizeIdentity(candidate.author) === normalizeIdentity(caller.subject),
      );
    const changeSet = await tx.peekChangeSet(id);
    if (changeSet !== undefined) return changeSet;
    const run = await tx.run(id);
    return run?.changeSet == null ? undefined : tx.peekChangeSet(run.changeSet);
  });
  if (row === undefined) throw new ChangeSetNotFoundError(id);
  return row;
}
