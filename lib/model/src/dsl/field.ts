import { z } from "zod";
import type { PlainMap, PlainValue } from "./plain-value.ts";

/** Any YAML value; the parser has refused what JSON cannot hold. */
export const anyValueSchema = z.custom<PlainValue>((value) => value !== undefined, "is missing");

/** A map of any YAML values. */
export const anyMapSchema: z.ZodType<PlainMap> = z.record(z.string(), anyValueSchema);

export const referenceSchema = z.string().min(1).max(1_000);

/** The name of a variable, parameter or output, as `${var.x}` can say it. */
export const identifierSchema = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_-]{0,127}$/, "must be letters, digits, _ or -, starting with a letter or _");

export const ownerSchema = z.string().min(1).max(200);

/** Tasks of the pool `big` wait in `big-plan` and `big-apply`, so that no pool may be called like a side of one. */
export const poolSchema = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, "must be a runner pool's name")
  .regex(/^(?!(?:.*-)?(?:plan|apply)$)/, "must not be plan or apply, nor end so");

/** Settings for engines, by engine; each engine checks its own. */
export const engineConfigSchema = z.record(z.string(), anyMapSchema);
export type EngineConfig = Readonly<Record<string, PlainMap>>;
