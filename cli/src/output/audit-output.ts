import { cloudEventSchema } from "@xcloudflow/chassis/event";
import { z } from "zod";

const index = z.number().int().nonnegative();

/** Events as CloudEvents 1.0 with their places in the log. */
export const auditQueryOutputSchema = z.strictObject({
  entries: z.array(z.strictObject({ index, event: cloudEventSchema })),
});

/** An inclusion proof (RFC 6962) from a leaf to the root of a signed checkpoint (C2SP tlog-checkpoint). */
export const auditProveOutputSchema = z.strictObject({
  index,
  /** The event's JSON text exactly as it was hashed. */
  leaf: z.string(),
  /** Base64, from the leaf's neighbour upwards. */
  hashes: z.array(z.base64()),
  checkpoint: z.string(),
  verifierKey: z.string(),
});

export const auditExportOutputSchema = z.strictObject({ entries: index, log: z.string(), checkpoint: z.string() });

export const auditVerifyOutputSchema = z.strictObject({
  intact: z.boolean(),
  /** Entries read. */
  size: index,
  /**
   * Whose word the signature rests on: a key that was `given`, the `local` one of this account, the one in the
   * checkpoint's own `file`, that of the asked `server`, or `none`.
   */
  keySource: z.enum(["given", "local", "file", "server", "none"]),
  findings: z.array(z.string()),
});
export type AuditVerifyOutput = z.infer<typeof auditVerifyOutputSchema>;
