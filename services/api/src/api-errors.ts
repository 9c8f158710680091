import { CodedError } from "@xcloudflow/model/coded-error";

/** Thrown when a token to be revoked does not exist in the caller's tenant. */
export class TokenNotFoundError extends CodedError {
  constructor(id: string) {
    super("TOKEN_NOT_FOUND", "notFound", { what: `there is no token ${id}`, hint: "list the tokens to see their ids" });
  }
}

/** Thrown when a runner's token is to hold in some environments only: a pool takes the tasks of all of them. */
export class RunnerTokenLimitedError extends CodedError {
  constructor() {
    super("RUNNER_TOKEN_LIMITED", "invalid", {
      what: "a runner's token cannot be limited to environments",
      hint: "use pools to keep workers apart",
    });
  }
}

/** Thrown when a token is to hold in what cannot be an environment's name. */
export class TokenEnvironmentInvalidError extends CodedError {
  constructor(environment: string) {
    super("TOKEN_ENVIRONMENT_INVALID", "invalid", {
      what: `"${environment.slice(0, 64)}" is no environment's name`,
      hint: "lower-case letters, digits and hyphens, as the folder below envs/",
    });
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
