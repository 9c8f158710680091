import { CodedError } from "@xcloudflow/model/coded-error";

/** Thrown when a handler failed in a way nobody foresaw; what happened is in the server's log under the reference. */
export class InternalError extends CodedError {
  readonly reference: string;

  constructor(reference: string, cause: unknown) {
    super("INTERNAL", "internal", {
      what: `something went wrong inside the control plane (reference ${reference})`,
      hint: "its log has the details under this reference",
      cause,
    });
    this.reference = reference;
  }
}
