import type { Caller } from "@xcloudflow/chassis/caller";
import { ApproverRefusedError, decideApproval } from "./approval-decision.ts";
import type { Command } from "./decision.ts";
import type { OrchestratorContext } from "./orchestrator-context.ts";
import { draftEvent } from "./orchestrator-events.ts";
import { performCommands } from "./perform-commands.ts";
import type { ChangeSetRow } from "./rows.ts";
import { approvalView, ChangeSetNotFoundError } from "./start-run.ts";

/** One person's approval or rejection; a run that waited for it looks again. That somebody was refused is recorded too. */
export async function voteOn(
  context: OrchestratorContext,
  tenant: string,
  caller: Caller,
  decision: "approve" | "reject",
  request: { readonly changeSet: string; readonly digest: string; readonly comment: string },
): Promise<ChangeSetRow> {
  const outcome = await context.store.transact(tenant, "vote", async (tx) => {
    const current = await tx.changeSet(request.changeSet);
    if (current === undefined) throw new ChangeSetNotFoundError(request.changeSet);
    const view = { ...(await approvalView(tx, current)), mapped: context.identities === "mapped" };
    const now = context.clock.now().toISOString();
    try {
      const { changes, phase } = decideApproval(view, caller, { ...request, decision }, now);
      await tx.write(changes);
      const waiting = [current.applyRun, current.parent].filter((run) => run !== null);
      return { row: { ...current, phase }, commands: waiting.map((run): Command => ({ kind: "drive", run })) };
    } catch (error) {
      if (!(error instanceof ApproverRefusedError)) throw error;
      await tx.write([
        draftEvent("approval", "denied", current.id, caller.subject, { digest: current.digest, reason: error.what }),
      ]);
      return error;
    }
  });
  // Thrown outside, so that the record of it is committed.
  if (outcome instanceof ApproverRefusedError) throw outcome;
  const { row, commands } = outcome;
  performCommands(context, tenant, commands);
  return row;
}
