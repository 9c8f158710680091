import { z } from "zod";

const lockSchema = z.strictObject({ kind: z.enum(["unit", "tier"]), name: z.string(), run: z.string() });

/** `unlock` without a name: who holds what, since when and why. */
export const locksOutputSchema = z.strictObject({
  locks: z.array(lockSchema.extend({ since: z.string(), reason: z.string() })),
});

export const releasedOutputSchema = z.strictObject({ released: z.array(lockSchema) });

/** `unlock --engine`: what the engine's lock said of its holder; null where there was none. */
export const brokenLockOutputSchema = z.strictObject({
  unit: z.string(),
  broken: z.record(z.string(), z.unknown()).nullable(),
});

export const unlockOutputSchema = z.union([locksOutputSchema, releasedOutputSchema, brokenLockOutputSchema]);
