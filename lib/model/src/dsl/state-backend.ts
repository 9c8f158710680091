import { z } from "zod";
import { secretReferenceSchema } from "./secret-reference.ts";

const prefix = z.string().max(500).optional();

/** Where engine state and artefacts are kept; `embedded` is the control plane's own database. */
export const stateBackendSchema = z.discriminatedUnion("backend", [
  z.strictObject({ backend: z.literal("embedded") }),
  z.strictObject({ backend: z.literal("postgres"), url: secretReferenceSchema }),
  z.strictObject({ backend: z.literal("sqlite"), path: z.string().min(1).max(1_000) }),
  z.strictObject({
    backend: z.literal("s3"),
    bucket: z.string().min(3).max(63),
    region: z.string().min(1).max(63),
    prefix,
    endpoint: z.url().optional(),
    kmsKey: z.string().min(1).max(500).optional(),
  }),
  z.strictObject({
    backend: z.literal("gcs"),
    bucket: z.string().min(3).max(222),
    prefix,
    kmsKey: z.string().min(1).max(500).optional(),
  }),
]);
export type StateBackend = z.infer<typeof stateBackendSchema>;

/** What wraps the tenant's data key; `local` is a key file in the user's configuration folder. */
export const encryptionSchema = z.discriminatedUnion("provider", [
  z.strictObject({ provider: z.literal("local") }),
  z.strictObject({ provider: z.literal("age"), recipients: z.array(z.string().startsWith("age1")).min(1).max(100) }),
  z.strictObject({ provider: z.literal("aws-kms"), key: z.string().min(1), region: z.string().min(1).optional() }),
  z.strictObject({ provider: z.literal("gcp-kms"), key: z.string().min(1) }),
  z.strictObject({ provider: z.literal("azure-key-vault"), key: z.string().min(1) }),
  z.strictObject({ provider: z.literal("vault-transit"), address: z.url(), key: z.string().min(1) }),
]);
export type Encryption = z.infer<typeof encryptionSchema>;
