import type { KeyObject } from "node:crypto";
import { type AttemptClaims, AttemptTokenInvalidError, verifyAttemptToken } from "@xcloudflow/chassis/attempt-token";
import { z } from "zod";

const expirySchema = z.object({ exp: z.number().int().positive() });

/** Whether a password has the form of a signed token; API tokens begin with `xcf_`. */
export function looksLikeAttempt(password: string): boolean {
  return !password.startsWith("xcf_") && /^[\w-]+\.[\w-]+\.[\w-]+$/.test(password);
}

/**
 * The claims of an attempt whose time may be over. A state that arrives after its attempt's end must still be kept, so
 * an expired signature is accepted as what it is: proof of who the writer was.
 *
 * @throws {AttemptTokenInvalidError} when the orchestrator has not signed it.
 */
export async function readAttempt(
  key: KeyObject,
  token: string,
  now: Date,
): Promise<{ readonly claims: AttemptClaims; readonly late: boolean }> {
  try {
    return { claims: await verifyAttemptToken(key, token, now), late: false };
  } catch (error) {
    const expiry = expiryOf(token);
    if (expiry === undefined || expiry > now) throw error;
    return { claims: await verifyAttemptToken(key, token, new Date(expiry.getTime() - 1000)), late: true };
  }
}

function expiryOf(token: string): Date | undefined {
  const [, payload = ""] = token.split(".");
  try {
    const parsed = expirySchema.safeParse(JSON.parse(Buffer.from(payload, "base64url").toString("utf8")));
    return parsed.success ? new Date(parsed.data.exp * 1000) : undefined;
  } catch (cause) {
    throw new AttemptTokenInvalidError(cause);
  }
}
