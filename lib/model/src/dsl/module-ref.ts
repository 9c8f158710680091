import { normalizeRepositoryPath } from "./repository-path.ts";

/** Where a module comes from: a folder of the repository, a module registry, or a Git repository at a commit. */
export type ModuleRef =
  | { readonly kind: "local"; readonly path: string }
  | {
      readonly kind: "registry";
      /** Undefined: the registry that is the engine's default. */
      readonly host: string | undefined;
      readonly namespace: string;
      readonly name: string;
      readonly system: string;
      readonly version: string;
    }
  | {
      readonly kind: "git";
      readonly url: string;
      readonly directory: string;
      readonly ref: string;
      readonly pinned: boolean;
    };

export type ModuleRefResult =
  | { readonly ok: true; readonly ref: ModuleRef }
  | { readonly ok: false; readonly code: string; readonly message: string; readonly hint: string };

const REGISTRY_PATTERN =
  /^(?:([a-z0-9.-]+(?::\d{1,5})?)\/)?([A-Za-z0-9_-]{1,64})\/([A-Za-z0-9_-]{1,64})\/([a-z0-9]{1,64})@([0-9A-Za-z.+-]{1,64})$/;
/** No part that Git or ssh is given as an argument begins with a dash: it would be read as an option. */
const GIT_URL_PATTERN =
  /^(?:https|ssh|file):\/\/(?!-)(?![^/]*@-)[^\s?#]+$|^(?!-)[A-Za-z0-9_.-]+@(?!-)[A-Za-z0-9.-]+:(?!-)[^\s?#]+$/;
const GIT_REF_PATTERN = /^(?!-)[^\s~^:?*[\\]{1,250}$/;
const COMMIT_PATTERN = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;

/** Takes a module's `ref` apart. Nothing it accepts leaves the repository or can be read as an option by Git. */
export function parseModuleRef(text: string): ModuleRefResult {
  if (text.startsWith("registry://")) return parseRegistryRef(text.slice("registry://".length));
  if (text.startsWith("git::")) return parseGitRef(text.slice("git::".length));
  if (text.includes("://")) {
    return fault(
      "REF_INVALID",
      `"${text}" is not a module reference`,
      "write a folder of this repository, registry://… or git::…",
    );
  }
  const path = normalizeRepositoryPath(text);
  if (path === undefined) return outside(text);
  return { ok: true, ref: { kind: "local", path } };
}

export function outside(text: string): Extract<ModuleRefResult, { ok: false }> {
  return fault(
    "REF_OUTSIDE",
    `"${text}" is not a path inside the repository`,
    "write it from the root of the repository, without .. and without a leading /",
  );
}

function parseRegistryRef(text: string): ModuleRefResult {
  const [, host, namespace, name, system, version] = REGISTRY_PATTERN.exec(text) ?? [];
  if (namespace === undefined || name === undefined || system === undefined || version === undefined) {
    return fault(
      "REF_INVALID",
      `"registry://${text}" is not a registry reference`,
      "write registry://<namespace>/<name>/<system>@<version>",
    );
  }
  return { ok: true, ref: { kind: "registry", host, namespace, name, system, version } };
}

function parseGitRef(text: string): ModuleRefResult {
  const write = "write git::<url>//<folder>?ref=<commit>";
  const query = text.indexOf("?");
  const address = query < 0 ? text : text.slice(0, query);
  const ref = query < 0 ? null : new URLSearchParams(text.slice(query + 1)).get("ref");
  if (ref === null || !GIT_REF_PATTERN.test(ref)) return fault("REF_UNPINNED", `"git::${text}" names no commit`, write);
  const scheme = address.indexOf("://");
  const split = address.indexOf("//", scheme < 0 ? 0 : scheme + 3);
  const url = split < 0 ? address : address.slice(0, split);
  const directory = split < 0 ? "." : normalizeRepositoryPath(address.slice(split + 2));
  if (!GIT_URL_PATTERN.test(url)) return fault("REF_INVALID", `"git::${text}" is not a Git reference`, write);
  if (directory === undefined) return outside(address.slice(split + 2));
  return { ok: true, ref: { kind: "git", url, directory, ref, pinned: COMMIT_PATTERN.test(ref) } };
}

function fault(code: string, message: string, hint: string): Extract<ModuleRefResult, { ok: false }> {
  return { ok: false, code, message, hint };
}

/** The module's name where none is given: the last segment of the ref, made a name. */
export function defaultModuleName(text: string): string {
  const withoutQuery = text.replace(/[?#].*$/, "").replace(/@[^/@]*$/, "");
  const segments = withoutQuery.split("/").filter((segment) => segment !== "" && segment !== ".");
  const last = text.startsWith("registry://") ? segments.at(-2) : segments.at(-1);
  const name = (last ?? "module")
    .replace(/\.git$/, "")
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]+/g, "-");
  return name.replace(/^-+/, "").slice(0, 63) || "module";
}
