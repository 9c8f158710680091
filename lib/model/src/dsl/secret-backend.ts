import { z } from "zod";
import { nameSchema } from "../address.ts";
import { repositoryPathSchema } from "./repository-path.ts";
import { secretReferenceSchema } from "./secret-reference.ts";

/** Where `secret://<name>/…` is looked up. A backend named `env`, of type `env`, exists without being declared. */
export const secretBackendSchema = z.discriminatedUnion("type", [
  z.strictObject({
    type: z.literal("env"),
    /** Put before every name that is looked up, so that a repository cannot read the whole environment. */
    prefix: z
      .string()
      .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "must be the start of a variable's name")
      .optional(),
  }),
  z.strictObject({
    type: z.literal("sops"),
    /** Folder in the repository under which paths are looked up; default: its root. */
    root: repositoryPathSchema.optional(),
    /** The age key: a file outside the repository, or `SOPS_AGE_KEY_FILE` of the control plane when absent. */
    ageKeyFile: z.string().min(1).max(1_000).optional(),
  }),
  z.strictObject({
    type: z.literal("vault"),
    address: z.url(),
    namespace: z.string().min(1).max(500).optional(),
    token: secretReferenceSchema.optional(),
    role: z.string().min(1).max(200).optional(),
  }),
]);
export type SecretBackend = z.infer<typeof secretBackendSchema>;

export const secretBackendsSchema = z.record(nameSchema, secretBackendSchema);
