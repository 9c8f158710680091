import { type ChangeSet, changeSetSchema, type Gate, type Phase, phaseSchema } from "@xcloudflow/model/change-set";
import { decodeDocument } from "@xcloudflow/model/parse-json";
import type { ChangeSetView } from "@xcloudflow/proto/orchestrator/v1/orchestrator_pb";

/** A ChangeSet with the orchestrator's word joined: what `-o json` prints. */
export type ShownChangeSet = Omit<ChangeSet, "gates"> & {
  readonly gates: readonly (Gate & { readonly satisfied?: boolean })[];
  readonly phase: Phase;
  readonly reason?: string;
  readonly approvals: readonly {
    readonly subject: string;
    readonly decision: string;
    readonly comment: string;
    readonly at: string;
    readonly assurance: string;
  }[];
  readonly run?: string;
};

export function readChangeSet(view: ChangeSetView): ShownChangeSet {
  const document = decodeDocument(changeSetSchema, view.document, "the ChangeSet");
  const satisfied = new Map(view.gates.map((gate) => [gate.index, gate.satisfied]));
  return {
    ...document,
    gates: document.gates.map((gate, index) => ({
      ...gate,
      ...(gate.kind === "approval" ? { satisfied: satisfied.get(index) ?? false } : {}),
    })),
    phase: phaseSchema.parse(view.phase),
    ...(view.reason === "" ? {} : { reason: view.reason }),
    approvals: view.approvals.map(({ subject, decision, comment, at, assurance }) => ({
      subject,
      decision,
      comment,
      at,
      assurance,
    })),
    ...(view.run === "" ? {} : { run: view.run }),
  };
}
