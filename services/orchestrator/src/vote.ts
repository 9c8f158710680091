import type { Caller } from "@xcloudflow/chassis/caller";
import { decideApproval } from "./approval-decision.ts";
import type { Command } from "./decision.ts";
import type { OrchestratorContext } from "./orchestrator-context.ts";
import { performCommands } from "./perform-commands.ts";
import type { ChangeSetRow } from "./rows.ts";
import { approvalView, ChangeSetNotFoundError } from "./start-run.ts";

/** One person's approval or rejection; a run that waited for it looks again. */
export async function voteOn(
  context: OrchestratorContext,
  tenant: string,
  caller: Caller,
  decision: "approve" | "reject",
  request: { readonly changeSet: string; readonly digest: string; readonly comment: string },
): Promise<ChangeSetRow> {
  const { row, commands } = await context.store.transact(tenant, "vote", async (tx) => {
    const current = await tx.changeSet(request.changeSet);
    if (current === undefined) throw new ChangeSetNotFoundError(request.changeSet);
    const view = await approvalView(tx, current);
    const { changes, phase } = decideApproval(
      view,
      caller,
      { decision, digest: request.digest, comment: request.comment },
      context.clock.now().toISOString(),
    );
    await tx.write(changes);
    const waiting = [current.applyRun, current.parent].filter((run) => run !== null);
    return { row: { ...current, phase }, commands: waiting.map((run): Command => ({ kind: "drive", run })) };
  });
  performCommands(context, tenant, commands);
  return row;
}
