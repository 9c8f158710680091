import { z } from "zod";

const toolSchema = z.strictObject({ name: z.string(), for: z.string() });

export const doctorOutputSchema = z.strictObject({
  version: z.string(),
  node: z.string(),
  tools: z.array(
    z.discriminatedUnion("found", [
      toolSchema.extend({
        found: z.literal(true),
        path: z.string(),
        from: z.enum(["configured", "PATH", "tools cache"]),
        version: z.string(),
      }),
      toolSchema.extend({ found: z.literal(false), get: z.string() }),
    ]),
  ),
  sandbox: z.string(),
  /** What is always needed and is not there. */
  missing: z.array(z.string()),
});
