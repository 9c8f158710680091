import { parseSecretReference } from "@xcloudflow/model/dsl/secret-reference";
import { type ConfiguredBackend, readBackends } from "./backends-store.ts";
import { createEnvBackend } from "./env-backend.ts";
import type { SecretBackendReader, SecretRequest } from "./secret-backend.ts";
import type { SecretsContext } from "./secrets-context.ts";
import {
  SecretBackendUnknownError,
  SecretBackendUnsupportedError,
  SecretReferenceInvalidError,
} from "./secrets-errors.ts";
import { createSopsBackend } from "./sops-backend.ts";

/** The backend of a reference, for the time of one call. */
export interface SecretLookup {
  /** @throws {SecretReferenceInvalidError | SecretBackendUnknownError | SecretBackendUnsupportedError} */
  find(reference: string): { readonly request: SecretRequest; readonly reader: SecretBackendReader };
}

/** `env` is always there; a repository that declares its own `env` narrows it. */
const ALWAYS: ConfiguredBackend = { repository: "", backend: { type: "env" } };

export async function createSecretLookup(context: SecretsContext, tenant: string): Promise<SecretLookup> {
  const configured = await readBackends(context, tenant);
  const readers = new Map<string, SecretBackendReader>();

  function choose(reference: string, name: string): ConfiguredBackend {
    const candidates = configured.get(name) ?? (name === "env" ? [ALWAYS] : []);
    const [only] = candidates;
    if (only !== undefined && candidates.length === 1) return only;
    const known = [...new Set(["env", ...configured.keys()])];
    throw new SecretBackendUnknownError(reference, name, known, candidates.length > 1);
  }

  function open(reference: string, { repository, backend }: ConfiguredBackend): SecretBackendReader {
    switch (backend.type) {
      case "env":
        return createEnvBackend(context.readVariable, backend.prefix ?? "");
      case "sops":
        return createSopsBackend({
          places: context.sops,
          ageKeyFile: backend.ageKeyFile ?? context.sopsAgeKeyFile,
          root: backend.root ?? "",
          folder: context.folder,
          readFile: (path) => context.readFile({ tenant, repository, path }),
        });
      default:
        throw new SecretBackendUnsupportedError(reference, backend.type);
    }
  }

  return {
    find(text) {
      const reference = parseSecretReference(text);
      if (reference === undefined) throw new SecretReferenceInvalidError(text);
      const reader = readers.get(reference.backend) ?? open(text, choose(text, reference.backend));
      readers.set(reference.backend, reader);
      return { request: { ...reference, text }, reader };
    },
  };
}
