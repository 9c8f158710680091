import { CodedError } from "@xcloudflow/model/coded-error";

/** Thrown when a text is not `secret://<backend>/<path>[#key]`. */
export class SecretReferenceInvalidError extends CodedError {
  constructor(reference: string) {
    super("SECRET_REFERENCE_INVALID", "invalid", {
      what: "this is no secret reference",
      where: reference.slice(0, 200),
      hint: "write secret://<backend>/<path>#<key>",
    });
  }
}

/** Thrown when a reference names a backend that is not declared, or is declared differently by several repositories. */
export class SecretBackendUnknownError extends CodedError {
  constructor(reference: string, backend: string, known: readonly string[], ambiguous: boolean) {
    super("SECRET_BACKEND_UNKNOWN", "invalid", {
      what: ambiguous
        ? `several repositories declare a secrets backend "${backend}"`
        : `there is no secrets backend "${backend}"`,
      where: reference,
      hint: ambiguous
        ? "give it another name in one of them"
        : `add it to spec.secrets.backends of .xcf.yaml and apply that first; there are ${known.join(", ")}`,
    });
  }
}

/** Thrown when a backend is of a kind this version cannot read. */
export class SecretBackendUnsupportedError extends CodedError {
  constructor(reference: string, type: string) {
    super("SECRET_BACKEND_UNSUPPORTED", "invalid", {
      what: `secrets backends of type ${type} are not supported by this version`,
      where: reference,
      hint: "use a backend of type sops or env",
    });
  }
}

/** Thrown when there is nothing where a reference points. */
export class SecretMissingError extends CodedError {
  constructor(reference: string, what: string, hint: string) {
    super("SECRET_NOT_FOUND", "notFound", { what, where: reference, hint });
  }
}

/** Thrown when a backend has the secret but it cannot be read: no key, damaged file, program missing. */
export class SecretUnreadableError extends CodedError {
  constructor(reference: string, what: string, hint: string, cause?: unknown) {
    super("SECRET_UNREADABLE", "unavailable", { what, where: reference, hint, cause });
  }
}

/** Thrown when an encrypted file asks for keys other than age: reading it would make calls to places its author chose. */
export class SecretFileRefusedError extends CodedError {
  constructor(reference: string, what: string) {
    super("SECRET_FILE_REFUSED", "forbidden", {
      what,
      where: reference,
      hint: "encrypt the file with `sops --age` only",
    });
  }
}

/** Thrown when an attempt asks a second time; its secrets were given out already. */
export class SecretsDeliveredError extends CodedError {
  constructor(unit: string, task: string, attempt: number) {
    super("SECRETS_ALREADY_DELIVERED", "stale", {
      what: `the secrets of attempt ${attempt} of ${task} were delivered already`,
      where: unit,
      hint: "a worker asks once, before the engine starts; a new attempt gets its own",
    });
  }
}

/** Thrown when the asking attempt was replaced by a later one. */
export class FencePassedError extends CodedError {
  constructor(unit: string, held: bigint, fence: bigint) {
    super("FENCE_PASSED", "stale", {
      what: `attempt ${held} is over: attempt ${fence} is responsible for the unit now`,
      where: unit,
      hint: "the worker must stop",
    });
  }
}

/** Thrown when an attempt asks for what its token does not name. */
export class AttemptNotEntitledError extends CodedError {
  constructor(unit: string, what: string) {
    super("ATTEMPT_NOT_ENTITLED", "forbidden", {
      what: `the attempt's token does not allow it to ${what}`,
      where: unit,
      hint: "only what the ChangeSet names is open to an attempt",
    });
  }
}

/** Thrown when no `sops` can be found or run. */
export class SopsMissingError extends CodedError {
  constructor(places: string) {
    super("SOPS_MISSING", "unavailable", {
      what: `the program sops was not found (${places})`,
      hint: "install SOPS 3.9 or newer (https://getsops.io) or put its path in the configuration; `xcf doctor` says more",
    });
  }
}
