import { roleSchema } from "@xcloudflow/chassis/caller";
import { ConfigInvalidError } from "@xcloudflow/chassis/config";
import { z } from "zod";

/** Signatures with a key pair only: with a shared secret whoever can check a token can make one, and `none` is no signature. */
export const TOKEN_ALGORITHMS = [
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
] as const;

const TENANT = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
const LOOPBACK = new Set(["127.0.0.1", "[::1]", "localhost"]);

/** Plain HTTP is for an issuer on this very machine: whoever is on the way could hand out keys of their own. */
export function isSafeIssuerUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, username, password, search, hash } = new URL(text);
  if (username !== "" || password !== "" || search !== "" || hash !== "") return false;
  return protocol === "https:" || (protocol === "http:" && LOOPBACK.has(hostname));
}

const claimSchema = z.string().min(1).max(256);
const grantableSchema = roleSchema.exclude(["service", "runner"]);

const tenantSchema = z.union([
  z.strictObject({ fixed: z.string().regex(TENANT) }),
  /** Only these: an issuer decides for nobody else. */
  z.strictObject({ claim: claimSchema, allowed: z.array(z.string().regex(TENANT)).min(1) }),
]);

export const issuerSettingsSchema = z.strictObject({
  /** Short, for subjects (`<name>|<sub>`) and errors. */
  name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,30}$/, "lower-case letters, digits and hyphens"),
  /** Exactly as the issuer writes it in `iss`. */
  issuer: z.string().refine(isSafeIssuerUrl, "an https URL without query; http only on loopback"),
  audiences: z.array(z.string().min(1)).min(1),
  algorithms: z.array(z.enum(TOKEN_ALGORITHMS)).min(1).default(["RS256", "ES256", "EdDSA"]),
  tenant: tenantSchema,
  /** `email`: the verified address, else `<name>|<sub>`. */
  subject: z.enum(["email", "sub"]).default("email"),
  /** The claim that holds a login at a forge, and the forge: `github:ada`. */
  login: z.strictObject({ claim: claimSchema, forge: z.string().regex(/^[a-z0-9-]+$/) }).optional(),
  groupsClaim: claimSchema.default("groups"),
  /** Which role a group gives, everywhere or in some environments; `*` is everybody the issuer knows. */
  bindings: z.array(
    z.strictObject({
      group: z.string().min(1),
      role: grantableSchema,
      environments: z
        .array(z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/))
        .min(1)
        .optional(),
    }),
  ),
  skewSeconds: z.number().int().min(0).max(120).default(30),
});
export type IssuerSettings = z.infer<typeof issuerSettingsSchema>;

const issuersSchema = z.array(issuerSettingsSchema).superRefine((issuers, context) => {
  for (const field of ["name", "issuer"] as const)
    if (new Set(issuers.map((issuer) => issuer[field])).size < issuers.length)
      context.addIssue({ code: "custom", message: `two issuers have the same ${field}` });
});

/**
 * The value of `XCF_ISSUERS`, a JSON list.
 *
 * @throws {ConfigInvalidError} with every problem at once.
 */
export function readIssuers(text: string): readonly IssuerSettings[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new ConfigInvalidError(["XCF_ISSUERS: is not JSON"]);
  }
  const result = issuersSchema.safeParse(value);
  if (result.success) return result.data;
  throw new ConfigInvalidError(
    result.error.issues.map(
      ({ path, message }) => `XCF_ISSUERS${path.map((part) => `.${String(part)}`).join("")}: ${message}`,
    ),
  );
}
