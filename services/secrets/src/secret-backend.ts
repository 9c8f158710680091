import type { SecretReference } from "@xcloudflow/model/dsl/secret-reference";
import type { SecretText } from "@xcloudflow/model/secret-text";

/** A reference with all that is needed to look it up and to name it in an error. */
export interface SecretRequest extends SecretReference {
  /** As it was written: `secret://…`. */
  readonly text: string;
}

/**
 * The seam for places that hold secrets, each a sibling file `<type>-backend.ts`. One is made for one call, so that it may
 * keep what it has read between references of that call, and no longer.
 */
export interface SecretBackendReader {
  /** @throws {SecretMissingError | SecretUnreadableError} */
  read(request: SecretRequest): Promise<SecretText>;
  /** The same without the value: throws what `read` would as far as that is known without reading. */
  check(request: SecretRequest): Promise<void>;
}
