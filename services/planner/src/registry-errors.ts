import { CodedError, type ErrorCategory } from "@xcloudflow/model/coded-error";

const CATEGORIES = {
  REGISTRY_UNAVAILABLE: "unavailable",
  REGISTRY_ANSWER_INVALID: "unavailable",
  REGISTRY_FORBIDDEN: "forbidden",
  REGISTRY_HOST_NOT_ALLOWED: "invalid",
  REGISTRY_MODULE_MISSING: "invalid",
  REGISTRY_SOURCE_UNSUPPORTED: "invalid",
  REGISTRY_ARCHIVE_INVALID: "invalid",
} as const satisfies Readonly<Record<string, ErrorCategory>>;

export type RegistryErrorCode = keyof typeof CATEGORIES;

/** Thrown when a `registry://` module cannot be had: the code says whether registry, rule or archive is the reason. */
export class RegistryModuleUnavailableError extends CodedError {
  constructor(
    code: RegistryErrorCode,
    parts: { readonly where: string; readonly what: string; readonly hint: string; readonly cause?: unknown },
  ) {
    super(code, CATEGORIES[code], parts);
  }
}

/** An address without what it may hold of secrets: user, password and query. */
export function plainUrl(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname}`;
}
