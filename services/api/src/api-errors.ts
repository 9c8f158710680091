import { CodedError } from "@xcloudflow/model/coded-error";

/** Thrown when a token makes more calls than its rate allows. */
export class RateExceededError extends CodedError {
  readonly retryAfterMs: number;

  constructor(retryAfterMs: number) {
    super("RATE_EXCEEDED", "exhausted", {
      what: "this token makes too many calls",
      hint: `try again in ${retryAfterMs} ms`,
    });
    this.retryAfterMs = retryAfterMs;
  }
}

/** Thrown when a token to be revoked does not exist in the caller's tenant. */
export class TokenNotFoundError extends CodedError {
  constructor(id: string) {
    super("TOKEN_NOT_FOUND", "notFound", { what: `there is no token ${id}`, hint: "list the tokens to see their ids" });
  }
}

/** Thrown when a token is asked for with an expiry that is no time, has passed, or is too far away. */
export class TokenExpiryInvalidError extends CodedError {
  constructor(expiresAt: string, what: string) {
    super("TOKEN_EXPIRY_INVALID", "invalid", {
      what: `expires_at "${expiresAt.slice(0, 64)}" ${what}`,
      hint: "give an RFC 3339 time within a year, or leave it empty for ninety days",
    });
  }
}
