import { CodedError, type ErrorCategory, type ErrorParts } from "./coded-error.ts";

/** Thrown when another process refused or failed a call; it prints the sentence the other side would have printed. */
export class RemoteError extends CodedError {
  constructor(code: string, category: ErrorCategory, parts: ErrorParts) {
    super(code, category, parts);
  }
}
