import { z } from "zod";

/** Where `xcf up` listens; the same as in `.xcf/server.json`. */
export const serverOutputSchema = z.strictObject({ grpc: z.url(), http: z.url(), pid: z.number().int().positive() });
