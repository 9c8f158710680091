import type { ErrorCategory } from "@xcloudflow/model/coded-error";
import { problemSchema } from "@xcloudflow/model/dsl/problem";
import { z } from "zod";

/** A problem in a file, or in the file as a whole: then line and column are 0. */
const listedProblemSchema = problemSchema.extend({
  line: z.number().int().nonnegative(),
  col: z.number().int().nonnegative(),
  hint: z.string().optional(),
});

/** `ErrorCategory` of the model, from outside. */
export const errorCategorySchema: z.ZodType<ErrorCategory> = z.enum([
  "invalid",
  "notFound",
  "alreadyExists",
  "unauthenticated",
  "forbidden",
  "denied",
  "waiting",
  "stale",
  "conflict",
  "exhausted",
  "unavailable",
  "timeout",
  "canceled",
  "dataLoss",
  "internal",
]);

/** What `-o json` prints on standard error when a verb cannot do what it was asked. */
export const errorOutputSchema = z.strictObject({
  error: z.strictObject({
    /** Stable, UPPER_SNAKE. */
    code: z.string(),
    category: errorCategorySchema,
    what: z.string(),
    where: z.string().optional(),
    hint: z.string().optional(),
    exitCode: z.number().int().positive(),
    problems: z.array(listedProblemSchema).optional(),
  }),
});
export type ErrorOutput = z.infer<typeof errorOutputSchema>;
