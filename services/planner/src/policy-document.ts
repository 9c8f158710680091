import { policyVerdictSchema } from "@xcloudflow/model/change-set";
import { z } from "zod";

/** A policy's demand for a stricter gate. */
export const gateTighteningSchema = z.strictObject({
  /** Unit address; empty for every unit of the ChangeSet. */
  unit: z.string(),
  gate: z.enum(["forced", "environment"]),
  groups: z.array(z.string()),
  /** 0 where the policy does not say. */
  quorum: z.number().int().nonnegative(),
  reason: z.string(),
});
export type GateTightening = z.infer<typeof gateTighteningSchema>;

/** What `Assemble` is told of policy's answer. */
export const policyDocumentSchema = z.strictObject({
  verdict: policyVerdictSchema,
  tightenings: z.array(gateTighteningSchema),
});
export type PolicyDocument = z.infer<typeof policyDocumentSchema>;
