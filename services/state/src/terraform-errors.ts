import { CodedError } from "@xcloudflow/model/coded-error";

/** Thrown when a request to the state backend is not one that terraform makes. */
export class StateRequestInvalidError extends CodedError {
  constructor(what: string, hint: string, cause?: unknown) {
    super("STATE_REQUEST_INVALID", "invalid", { what, hint, cause });
  }
}

/** Thrown when a path is not `/terraform/<tenant>/<unit address>`. */
export class StateAddressUnknownError extends CodedError {
  constructor(path: string) {
    super("STATE_ADDRESS_UNKNOWN", "notFound", {
      what: "no state can be at this address",
      where: path.slice(0, 300),
      hint: "use /terraform/<tenant>/<environment>/<composition>[@<region>]/<module>",
    });
  }
}

/** Thrown when a request carries no password, or one that is neither an API token nor an attempt's. */
export class StateCredentialsError extends CodedError {
  constructor(missing: boolean) {
    super(missing ? "TOKEN_MISSING" : "TOKEN_INVALID", "unauthenticated", {
      what: missing ? "the request carries no API token" : "the API token is unknown, expired or revoked",
      hint: "send it as the password of Basic authentication; `xcf token create` makes one",
    });
  }
}

/** Thrown when whoever asks may not do this to this state. */
export class StateAccessDeniedError extends CodedError {
  constructor(who: string, what: string, hint: string) {
    super("STATE_ACCESS_DENIED", "forbidden", { what: `${who} may not ${what}`, hint });
  }
}
