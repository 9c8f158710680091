import { z } from "zod";
import { apiVersionSchema, metadataSchema } from "./metadata.ts";
import { selectorSchema } from "./selector.ts";

export const budgetLimitFields = {
  monthly: z.number().min(0),
  currency: z
    .string()
    .regex(/^[A-Z]{3}$/, "must be a currency's three letters, such as USD")
    .default("USD"),
  onExceed: z.enum(["deny", "require-approval", "warn"]).default("require-approval"),
};

/** A limit on the monthly cost of the units it matches together. */
export const budgetSchema = z.strictObject({
  apiVersion: apiVersionSchema,
  kind: z.literal("Budget"),
  metadata: metadataSchema,
  spec: z.strictObject({ match: selectorSchema.default({}), ...budgetLimitFields }),
});
export type Budget = z.infer<typeof budgetSchema>;
