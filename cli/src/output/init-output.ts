import { z } from "zod";

export const initOutputSchema = z.strictObject({ directory: z.string(), files: z.array(z.string()) });
