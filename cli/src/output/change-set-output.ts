import { changeSetSchema, gateSchema, phaseSchema } from "@xcloudflow/model/change-set";
import { decodeDocument } from "@xcloudflow/model/parse-json";
import type { ChangeSetView } from "@xcloudflow/proto/orchestrator/v1/orchestrator_pb";
import { z } from "zod";
import { errorOutputSchema } from "./error-output.ts";

const [approvalGateSchema, windowGateSchema] = gateSchema.options;

/** Somebody's decision about exactly this digest. */
const approvalSchema = z.strictObject({
  subject: z.string(),
  decision: z.enum(["approve", "reject"]),
  comment: z.string(),
  at: z.string(),
  /** Who vouches for the subject: `asserted` by the environment, or `authenticated` by a token. */
  assurance: z.string(),
});

/** A ChangeSet as it is stored, with what the orchestrator says of it joined. */
export const changeSetOutputSchema = changeSetSchema.extend({
  gates: z.array(
    z.discriminatedUnion("kind", [approvalGateSchema.extend({ satisfied: z.boolean() }), windowGateSchema]),
  ),
  phase: phaseSchema,
  reason: z.string().optional(),
  approvals: z.array(approvalSchema),
  run: z.string().optional(),
});
export type ShownChangeSet = z.infer<typeof changeSetOutputSchema>;

/** What a plan prints that found nothing to change: there is no ChangeSet. */
export const emptyPlanOutputSchema = z.strictObject({
  run: z.string(),
  environment: z.string(),
  units: z.array(z.never()).length(0),
});

export const planOutputSchema = z.union([changeSetOutputSchema, emptyPlanOutputSchema]);

/** `plan --all-envs`: one entry an environment, in the order of their names; one that could not be planned says why. */
export const plansOutputSchema = z.array(
  z.union([...planOutputSchema.options, errorOutputSchema.extend({ environment: z.string() })]),
);
export type PlansOutput = z.infer<typeof plansOutputSchema>;

export function readChangeSet(view: ChangeSetView): ShownChangeSet {
  const { gates, ...document } = decodeDocument(changeSetSchema, view.document, "the ChangeSet");
  const satisfied = new Map(view.gates.map((gate) => [gate.index, gate.satisfied]));
  return {
    ...document,
    gates: gates.map((gate, index) =>
      gate.kind === "approval" ? { ...gate, satisfied: satisfied.get(index) ?? false } : gate,
    ),
    phase: phaseSchema.parse(view.phase),
    ...(view.reason === "" ? {} : { reason: view.reason }),
    approvals: view.approvals.map(({ subject, decision, comment, at, assurance }) => ({
      subject,
      decision: approvalSchema.shape.decision.parse(decision),
      comment,
      at,
      assurance,
    })),
    ...(view.run === "" ? {} : { run: view.run }),
  };
}
