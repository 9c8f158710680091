import { problemSchema } from "@xcloudflow/model/dsl/problem";
import { z } from "zod";

export const validateOutputSchema = z.strictObject({
  /** No problem is an error; warnings may be listed. */
  valid: z.boolean(),
  problems: z.array(problemSchema),
});
