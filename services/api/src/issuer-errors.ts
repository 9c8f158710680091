import { CodedError } from "@xcloudflow/model/coded-error";

/** What is wrong with a bearer token of an issuer, and what the one who sent it can do. */
const REASONS = {
  JWT_MALFORMED: ["it is no signed JSON Web Token", "ask the issuer for another"],
  JWT_ISSUER_UNKNOWN: ["its issuer is not one of this control plane's", "use a token of a configured issuer"],
  JWT_AUDIENCE_WRONG: ["it is meant for another audience", "ask for a token with this control plane's audience"],
  JWT_EXPIRED: ["it has expired", "sign in again"],
  JWT_NOT_YET_VALID: ["it is not valid yet", "compare the clocks"],
  JWT_ALGORITHM_REFUSED: ["it is signed in a way that is not allowed here", "the issuer must sign with a key pair"],
  JWT_KEY_UNKNOWN: ["the issuer does not publish the key it is signed with", "sign in again"],
  JWT_SIGNATURE_WRONG: ["its signature is wrong", "sign in again"],
  JWT_CLAIMS_REFUSED: ["its claims do not say who you are here", "an admin can compare them with XCF_ISSUERS"],
} as const;
export type JwtProblem = keyof typeof REASONS;

/** Thrown when a token of an issuer is not accepted. Nothing of the token is repeated. */
export class JwtRefusedError extends CodedError {
  constructor(problem: JwtProblem, cause?: unknown) {
    const [what, hint] = REASONS[problem];
    super(problem, "unauthenticated", { where: "the bearer token", what, hint, cause });
  }
}

/** Thrown when an issuer's keys are needed and cannot be had: nobody is let in on a guess, and nobody's token is blamed. */
export class IssuerUnavailableError extends CodedError {
  constructor(issuer: string, cause: unknown) {
    super("ISSUER_UNAVAILABLE", "unavailable", {
      where: issuer,
      what: "the issuer's keys cannot be read",
      hint: "try again shortly; API tokens work meanwhile",
      cause,
    });
  }
}
