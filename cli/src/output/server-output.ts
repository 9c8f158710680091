import { z } from "zod";

/** Where `xcf up` listens; the same as in `.xcf/server.json`. */
export const serverOutputSchema = z.strictObject({
  grpc: z.url(),
  http: z.url(),
  pid: z.number().int().positive(),
  /** Where Prometheus scrapes, if it was asked for. */
  metrics: z.url().optional(),
});
