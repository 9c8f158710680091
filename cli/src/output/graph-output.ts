import { edgeSchema } from "@xcloudflow/model/compilation";
import { lifecycleSchema } from "@xcloudflow/model/lifecycle";
import { z } from "zod";

/** Units, what they depend on, and the waves they run in one after the other. */
export const graphOutputSchema = z.strictObject({
  units: z.array(
    z.strictObject({
      address: z.string(),
      lifecycle: lifecycleSchema,
      engine: z.string(),
      /** With `--affected`: why the commit touches it. */
      reason: z.string().optional(),
      destroy: z.literal(true).optional(),
    }),
  ),
  edges: z.array(edgeSchema),
  waves: z.array(z.array(z.string())),
});
export type DrawnGraph = z.infer<typeof graphOutputSchema>;
