import { z } from "zod";

/** What happened to a unit and what it waits for, newest first. */
export const whyOutputSchema = z.strictObject({
  unit: z.string(),
  reasons: z.array(z.strictObject({ at: z.string(), run: z.string(), text: z.string() })),
});
