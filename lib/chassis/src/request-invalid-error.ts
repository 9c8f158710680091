import { CodedError } from "@xcloudflow/model/coded-error";
import type { FieldViolation } from "./google-rpc-details.ts";

/** Thrown when a request breaks the rules its proto message states; nothing has been done. */
export class RequestInvalidError extends CodedError {
  readonly violations: readonly FieldViolation[];

  constructor(typeName: string, violations: readonly FieldViolation[]) {
    super("REQUEST_INVALID", "invalid", {
      what: violations
        .map(({ field, description }) => (field === "" ? description : `${field}: ${description}`))
        .join("; "),
      where: typeName,
      hint: "correct the request; the message's proto file states its rules",
    });
    this.violations = violations;
  }
}
