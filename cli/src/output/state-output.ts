import { z } from "zod";

const count = z.number().int().nonnegative();

/** A unit's engine state without its content. */
export const stateOutputSchema = z.strictObject({
  unit: z.string(),
  serial: count,
  lineage: z.string(),
  version: count,
  /** Bytes. */
  size: count,
  updatedAt: z.string(),
  /** What the engine's lock says of its holder. */
  lock: z.record(z.string(), z.unknown()).nullable(),
  fence: count,
  /** Versions that arrived too late to count and were kept aside. */
  quarantined: count,
});

export const statesOutputSchema = z.strictObject({ states: z.array(stateOutputSchema) });

export const stateVersionsOutputSchema = z.strictObject({
  unit: z.string(),
  versions: z.array(
    z.strictObject({
      version: count,
      serial: count,
      lineage: z.string(),
      size: count,
      createdAt: z.string(),
      /** The attempt or token that wrote it. */
      writer: z.string(),
      status: z.enum(["current", "past", "quarantined"]),
    }),
  ),
});
