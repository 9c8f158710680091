import { CodedError } from "@xcloudflow/model/coded-error";

/** Thrown when data was encrypted with a data key that is not on the tenant's keyring. */
export class DataKeyMissingError extends CodedError {
  constructor(tenant: string, id: string) {
    super("DATA_KEY_MISSING", "dataLoss", {
      what: `data key ${id} of tenant ${tenant} is not in the database`,
      hint: "the database is older than what it is asked for; restore the newest backup",
    });
  }
}

/** Thrown when a data key cannot be unwrapped: the key-encryption key is another one, or the wrapped key was changed. */
export class DataKeyUnwrapError extends CodedError {
  constructor(where: string, what: string, cause?: unknown) {
    super("DATA_KEY_UNWRAP_FAILED", "dataLoss", {
      what,
      where,
      hint: "put back the key file this database was made with; without it nothing encrypted can be read",
      cause,
    });
  }
}

/** Thrown when the file with the key-encryption key cannot be read, made, or trusted. */
export class KeyFileInvalidError extends CodedError {
  constructor(path: string, what: string, hint: string, cause?: unknown) {
    super("KEY_FILE_INVALID", "unavailable", { what, where: path, hint, cause });
  }
}
