import { z } from "zod";
import { nameSchema } from "../address.ts";
import { durationSchema } from "../duration.ts";
import { identitiesSchema } from "../identities.ts";
import { engineNameSchema } from "../route-settings.ts";
import { parseVersionConstraint } from "../version-constraint.ts";
import { anyMapSchema, ownerSchema, poolSchema } from "./field.ts";
import { matrixOverridesSchema } from "./matrix-overrides.ts";
import { apiVersionSchema, metadataSchema } from "./metadata.ts";
import { secretBackendsSchema } from "./secret-backend.ts";
import { secretReferenceSchema } from "./secret-reference.ts";
import { settingFields } from "./settings.ts";
import { encryptionSchema, stateBackendSchema } from "./state-backend.ts";

/** One engine: which binary and version, how many at once, and settings for every unit that uses it. */
export const engineSettingsSchema = z.strictObject({
  binary: z.string().min(1).max(1_000).optional(),
  version: z
    .string()
    .min(1)
    .max(200)
    .refine(
      (text) => parseVersionConstraint(text) !== undefined,
      "must be a version or constraint, such as >= 1.6, < 2.0",
    )
    .optional(),
  concurrency: z.number().int().min(1).max(10_000).optional(),
  pool: poolSchema.optional(),
  config: anyMapSchema.optional(),
});
export type EngineSettings = z.infer<typeof engineSettingsSchema>;

/** Environment variables of a role, each a secret reference; an environment's planRole or applyRole names it. */
export const credentialSchema = z.strictObject({
  env: z.record(
    z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "must be an environment variable's name"),
    secretReferenceSchema,
  ),
});

const endpointSchema = z.strictObject({ url: z.url() });

export const observabilitySchema = z.strictObject({
  otlp: z.strictObject({ endpoint: z.url(), protocol: z.enum(["grpc", "http"]).default("grpc") }).optional(),
  prometheus: endpointSchema.optional(),
  alertmanager: endpointSchema.optional(),
  grafana: endpointSchema.optional(),
});

export const forgeSchema = z.strictObject({
  kind: z.enum(["github", "gitlab", "gitea", "forgejo"]),
  url: z.url().optional(),
  repository: z.string().min(1).max(500),
  token: secretReferenceSchema.optional(),
  webhookSecret: secretReferenceSchema.optional(),
});

export const tenantSchema = z.strictObject({
  environments: z.array(nameSchema).max(10_000).optional(),
  owner: ownerSchema.optional(),
  quotas: z
    .strictObject({
      units: z.number().int().min(1).optional(),
      runs: z.number().int().min(1).optional(),
      monthly: z.number().min(0).optional(),
    })
    .optional(),
});

const registryHostSchema = z
  .string()
  .regex(/^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?(?::\d{1,5})?$/, "must be a host, or host:port, in lower case");

/** Module registries: the one that a `registry://` without a host means, and the hosts that modules may come from. */
export const registriesSchema = z.strictObject({
  default: registryHostSchema.optional(),
  hosts: z.array(registryHostSchema).max(100).optional(),
});

export const platformSpecSchema = z.strictObject({
  state: stateBackendSchema.optional(),
  encryption: encryptionSchema.optional(),
  secrets: z.strictObject({ backends: secretBackendsSchema.default({}) }).optional(),
  credentials: z.record(nameSchema, credentialSchema).optional(),
  engines: z.record(engineNameSchema, engineSettingsSchema).optional(),
  registries: registriesSchema.optional(),
  observability: observabilitySchema.optional(),
  forge: forgeSchema.optional(),
  /** The protected branch whose head is the governance commit. */
  governance: z.strictObject({ branch: z.string().min(1).max(250) }).optional(),
  /** Who is who in Git, at the forge and at the issuer, so that nobody approves their own change under another name. */
  identities: identitiesSchema.optional(),
  /** How long ChangeSets and artefacts are kept. */
  retention: z.strictObject({ changeSets: durationSchema.optional(), artefacts: durationSchema.optional() }).optional(),
  matrix: matrixOverridesSchema.optional(),
  tenants: z.record(nameSchema, tenantSchema).optional(),
  ...settingFields,
});

/** `.xcf.yaml` at the root of the repository. */
export const platformSchema = z.strictObject({
  apiVersion: apiVersionSchema,
  kind: z.literal("Platform"),
  metadata: metadataSchema.partial({ name: true }).default({ labels: {}, annotations: {} }),
  spec: platformSpecSchema.default({}),
});
export type Platform = z.infer<typeof platformSchema>;
