import { CodedError } from "@xcloudflow/model/coded-error";

/** Thrown when stored bytes are not what was sealed for this tenant, unit, kind and version: changed, moved or cut off. */
export class EnvelopeTamperedError extends CodedError {
  constructor(where: string, what: string, cause?: unknown) {
    super("ENVELOPE_TAMPERED", "dataLoss", {
      what,
      where,
      hint: "the database was changed behind the control plane's back or is damaged; restore it from a backup",
      cause,
    });
  }
}

/** Thrown when bytes were sealed by a newer version of this program, or were never sealed at all. */
export class EnvelopeFormatUnknownError extends CodedError {
  constructor(where: string) {
    super("ENVELOPE_FORMAT_UNKNOWN", "dataLoss", {
      what: "the stored bytes are not an envelope this version can open",
      where,
      hint: "upgrade this XCloudFlow to the version that wrote them",
    });
  }
}
