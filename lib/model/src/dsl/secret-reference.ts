import { z } from "zod";

const SECRET_PATTERN = /^secret:\/\/([a-z0-9][a-z0-9-]{0,62})\/([^#\s]+)(?:#([^#\s]+))?$/;

/** `secret://<backend>/<path>[#key]`, taken apart. */
export interface SecretReference {
  readonly backend: string;
  readonly path: string;
  readonly key: string | undefined;
}

export function isSecretReference(text: string): boolean {
  return text.startsWith("secret://");
}

/** Undefined when `text` is not a well-formed reference, or its path would leave the backend (`..`). */
export function parseSecretReference(text: string): SecretReference | undefined {
  const [, backend, path, key] = SECRET_PATTERN.exec(text) ?? [];
  if (backend === undefined || path === undefined) return undefined;
  if (path.split("/").some((part) => part === "" || part === "." || part === "..")) return undefined;
  return { backend, path, key };
}

export const secretReferenceSchema = z
  .string()
  .max(2_000)
  .refine((text) => parseSecretReference(text) !== undefined, {
    error: "must be secret://<backend>/<path>, or secret://<backend>/<path>#<key>, without empty, . or .. parts",
    params: { hidden: true },
  });
