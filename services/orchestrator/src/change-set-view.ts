import { create } from "@bufbuild/protobuf";
import { as, serviceCaller } from "@xcloudflow/chassis/caller";
import { type ChangeSetView, ChangeSetViewSchema } from "@xcloudflow/proto/orchestrator/v1/orchestrator_pb";
import { gateStates } from "./approval-decision.ts";
import type { OrchestratorContext } from "./orchestrator-context.ts";
import type { ChangeSetRow } from "./rows.ts";
import { approvalView } from "./start-run.ts";

/** The stored document with the orchestrator's word on it joined at the side, never inside. */
export async function viewChangeSet(
  context: OrchestratorContext,
  tenant: string,
  row: ChangeSetRow,
): Promise<ChangeSetView> {
  const { document } = await context.state.getChangeSet({ id: row.id }, as(serviceCaller(tenant, "orchestrator")));
  const view = await context.store.transact(tenant, "read-change-set-view", (tx) => approvalView(tx, row));
  return create(ChangeSetViewSchema, {
    document,
    phase: row.phase,
    reason: row.reason ?? "",
    gates: gateStates(view),
    approvals: view.approvals.map(({ subject, decision, digest, comment, at, assurance }) => ({
      subject,
      decision,
      digest,
      comment,
      at,
      assurance,
    })),
    run: row.applyRun ?? "",
  });
}
