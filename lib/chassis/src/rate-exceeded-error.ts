import { CodedError } from "@xcloudflow/model/coded-error";

/** Thrown when a token, or all of a tenant together, makes more calls than its rate allows. */
export class RateExceededError extends CodedError {
  readonly retryAfterMs: number;

  constructor(scope: "token" | "tenant", retryAfterMs: number) {
    super("RATE_EXCEEDED", "exhausted", {
      what: scope === "token" ? "this token makes too many calls" : "this tenant makes too many calls",
      hint: `try again in ${retryAfterMs} ms`,
    });
    this.retryAfterMs = retryAfterMs;
  }
}
