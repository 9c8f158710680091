import type { KeyObject } from "node:crypto";
import { CodedError } from "@xcloudflow/model/coded-error";
import { jwtVerify, SignJWT } from "jose";
import { z } from "zod";

/** What one attempt may do, and nothing more. Signed by the orchestrator, checked by state and secrets. */
export const attemptClaimsSchema = z.object({
  tenant: z.string(),
  environment: z.string(),
  unit: z.string(),
  run: z.string(),
  task: z.string(),
  attempt: z.number().int().positive(),
  fence: z.number().int().positive(),
  /** A plan token reads its own unit's state and never locks or writes it. */
  purpose: z.enum(["plan", "apply"]),
  /** Digest of the ChangeSet (apply) or empty (plan). */
  digest: z.string(),
  /** `secret://` references the attempt may resolve, once. */
  secrets: z.array(z.string()),
  /** Sensitive outputs of other units the attempt may resolve. */
  outputs: z.array(z.object({ unit: z.string(), output: z.string() })),
});
export type AttemptClaims = z.infer<typeof attemptClaimsSchema>;

const ISSUER = "xcloudflow/orchestrator";

/** Thrown when an attempt token is forged, expired or malformed. */
export class AttemptTokenInvalidError extends CodedError {
  constructor(cause: unknown) {
    super("ATTEMPT_TOKEN_INVALID", "unauthenticated", {
      what: "the attempt token is not valid",
      hint: "the attempt is over; its worker must stop",
      cause,
    });
  }
}

/** A compact JWT (RFC 7519) signed with EdDSA. `expiresAt` bounds every use of it. */
export async function signAttemptToken(
  key: KeyObject,
  claims: AttemptClaims,
  issuedAt: Date,
  expiresAt: Date,
): Promise<string> {
  return new SignJWT({ ...claims })
    .setProtectedHeader({ alg: "EdDSA" })
    .setIssuer(ISSUER)
    .setIssuedAt(issuedAt)
    .setExpirationTime(expiresAt)
    .sign(key);
}

/** @throws {AttemptTokenInvalidError} when signature, issuer, expiry or shape is wrong. */
export async function verifyAttemptToken(key: KeyObject, token: string, now: Date): Promise<AttemptClaims> {
  try {
    const { payload } = await jwtVerify(token, key, { issuer: ISSUER, algorithms: ["EdDSA"], currentDate: now });
    return attemptClaimsSchema.parse(payload);
  } catch (cause) {
    throw new AttemptTokenInvalidError(cause);
  }
}
