import { parseModuleRef } from "@xcloudflow/model/dsl/module-ref";
import { normalizeRepositoryPath } from "@xcloudflow/model/dsl/repository-path";
import { z } from "zod";
import { plainUrl, RegistryModuleUnavailableError } from "./registry-errors.ts";
import { parseUrl } from "./registry-http.ts";

/** Where a registry says a version of a module is. `directory` is `.` for the root; its first part may be `*`. */
export const registryLocationSchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("git"), url: z.string(), ref: z.string(), directory: z.string() }),
  z.strictObject({
    kind: z.literal("archive"),
    url: z.string(),
    directory: z.string(),
    /** `<algorithm>:<hex>` that the registry vouches for. */
    checksum: z.string().optional(),
  }),
]);
export type RegistryLocation = z.infer<typeof registryLocationSchema>;

const TAR_GZ = /^(?:tar\.gz|tgz)$/;
const CHECKSUM = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/i;

/**
 * Reads what a registry answers with (`X-Terraform-Get`, or `location`): an address in the syntax of Terraform's module
 * sources, relative to the question's own.
 *
 * @throws {RegistryModuleUnavailableError} for everything but gzipped tars over https, and Git.
 */
export function parseRegistryLocation(text: string, base: URL): RegistryLocation {
  return text.startsWith("git::") ? gitLocation(text, base) : archiveLocation(text, base);
}

function gitLocation(text: string, base: URL): RegistryLocation {
  const query = new URLSearchParams(text.includes("?") ? text.slice(text.indexOf("?") + 1) : "");
  const named = text.replace(/\?.*$/s, "");
  const parsed = parseModuleRef(`${named}?${new URLSearchParams({ ref: query.get("ref") ?? "HEAD" })}`);
  if (!parsed.ok || parsed.ref.kind !== "git")
    throw unsupported(base, "it leads to a Git address that is not understood", "ask whoever runs the registry");
  const { url, ref, directory } = parsed.ref;
  return { kind: "git", url, ref, directory };
}

function archiveLocation(text: string, base: URL): RegistryLocation {
  const getter = /^([a-z0-9]+)::/.exec(text)?.[1];
  const url = parseUrl(text.replace(/^https::/, ""), base);
  if (url === undefined || (getter !== undefined && getter !== "https") || url.protocol !== "https:") {
    const found = getter ?? url?.protocol.replace(/:$/, "") ?? "no address";
    throw unsupported(base, `it leads to ${found}`, "modules are fetched as tar.gz over https, or from Git");
  }
  const split = url.pathname.indexOf("//");
  const inside = split < 0 ? "" : decodeURIComponent(url.pathname.slice(split + 2));
  if (split >= 0) url.pathname = url.pathname.slice(0, split);
  const directory = directoryOf(inside);
  if (directory === undefined)
    throw unsupported(url, `"${inside}" is no folder of an archive`, "ask whoever runs the registry");
  const format = url.searchParams.get("archive") ?? /\.(tar\.[a-z0-9]+|[a-z0-9]+)$/i.exec(url.pathname)?.[1] ?? "";
  if (!TAR_GZ.test(format.toLowerCase())) {
    const what = format === "" ? "it does not say what kind of archive it has" : `its archive is ${format}`;
    throw unsupported(
      url,
      what,
      "only tar.gz is read; publish the module as one, or use git::<url>//<folder>?ref=<commit>",
    );
  }
  const checksum = url.searchParams.get("checksum")?.toLowerCase();
  if (checksum !== undefined && !CHECKSUM.test(checksum))
    throw unsupported(
      url,
      "it vouches for its archive with a checksum of another kind",
      "sha256 and sha512 are checked",
    );
  url.searchParams.delete("archive");
  url.searchParams.delete("checksum");
  return { kind: "archive", url: url.href, directory, ...(checksum === undefined ? {} : { checksum }) };
}

function directoryOf(inside: string): string | undefined {
  const trimmed = inside.replace(/\/+$/, "");
  if (trimmed === "" || trimmed === "*") return trimmed === "" ? "." : "*";
  const rest = trimmed.startsWith("*/") ? trimmed.slice(2) : trimmed;
  const path = /[*?[]/.test(rest) ? undefined : normalizeRepositoryPath(rest);
  return path === undefined ? undefined : trimmed.startsWith("*/") ? `*/${path}` : path;
}

function unsupported(url: URL, what: string, hint: string): RegistryModuleUnavailableError {
  return new RegistryModuleUnavailableError("REGISTRY_SOURCE_UNSUPPORTED", { where: plainUrl(url), what, hint });
}
