import type { Clock } from "@xcloudflow/chassis/clock";
import type { Authenticate } from "@xcloudflow/chassis/edge-auth";
import { CodedError } from "@xcloudflow/model/coded-error";
import { decodeJwt, errors, type JWTVerifyGetKey, jwtVerify } from "jose";
import { callerOfClaims } from "./issuer-caller.ts";
import { type JwtProblem, JwtRefusedError } from "./issuer-errors.ts";
import { createIssuerKeys, type IssuerKeysOptions } from "./issuer-keys.ts";
import type { IssuerSettings } from "./issuer-settings.ts";

const TOKEN_BYTES = 16_384;

/** Whether a text is to be read as a compact JWS: three parts, the first of which begins as JSON does. */
export function looksLikeJwt(text: string): boolean {
  return /^eyJ[\w-]*\.[\w-]*\.[\w-]*$/.test(text);
}

/**
 * Verifies tokens of the configured issuers. The token says which issuer is asked; everything it says after that counts
 * only once that issuer's key, the audience, the times and the algorithm have been found right.
 *
 * The caller's promise rejects with JwtRefusedError or IssuerUnavailableError, each with a code of its own.
 */
export function createJwtAuthenticate(
  issuers: readonly IssuerSettings[],
  io: { readonly fetch: typeof fetch; readonly clock: Clock } & Pick<
    IssuerKeysOptions,
    "cooldownMs" | "maxAgeMs" | "staleMs"
  >,
): Authenticate {
  const known = new Map<string, { readonly settings: IssuerSettings; readonly keys: JWTVerifyGetKey }>(
    issuers.map((settings) => [
      settings.issuer,
      { settings, keys: createIssuerKeys({ ...io, issuer: settings.issuer }) },
    ]),
  );
  return async (token) => {
    const issuer = known.get(claimedIssuer(token));
    if (issuer === undefined) throw new JwtRefusedError("JWT_ISSUER_UNKNOWN");
    const { settings, keys } = issuer;
    try {
      const { payload } = await jwtVerify(token, keys, {
        issuer: settings.issuer,
        audience: settings.audiences,
        algorithms: settings.algorithms,
        clockTolerance: settings.skewSeconds,
        requiredClaims: ["exp", "sub"],
        currentDate: io.clock.now(),
      });
      return callerOfClaims(settings, payload);
    } catch (error) {
      throw error instanceof CodedError ? error : new JwtRefusedError(problemOf(error), error);
    }
  };
}

function claimedIssuer(token: string): string {
  if (Buffer.byteLength(token) > TOKEN_BYTES) throw new JwtRefusedError("JWT_MALFORMED");
  try {
    return decodeJwt(token).iss ?? "";
  } catch (error) {
    throw new JwtRefusedError("JWT_MALFORMED", error);
  }
}

function problemOf(error: unknown): JwtProblem {
  if (error instanceof errors.JWTExpired) return "JWT_EXPIRED";
  if (error instanceof errors.JWTClaimValidationFailed)
    return error.claim === "aud"
      ? "JWT_AUDIENCE_WRONG"
      : error.claim === "nbf"
        ? "JWT_NOT_YET_VALID"
        : "JWT_CLAIMS_REFUSED";
  if (error instanceof errors.JOSEAlgNotAllowed || error instanceof errors.JOSENotSupported)
    return "JWT_ALGORITHM_REFUSED";
  if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys)
    return "JWT_KEY_UNKNOWN";
  if (error instanceof errors.JWSSignatureVerificationFailed) return "JWT_SIGNATURE_WRONG";
  return "JWT_MALFORMED";
}
