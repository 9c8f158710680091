import { createHash } from "node:crypto";
import { posix } from "node:path";
import { BundleInvalidError } from "./policy-errors.ts";

/** A file of a repository or of a command line; `path` is relative, with forward slashes. */
export interface PolicyFile {
  readonly path: string;
  readonly content: Uint8Array;
}

/** Which syntax files without `import rego.v1` are read in. */
export type RegoVersion = "v0" | "v1";

/**
 * What one OPA serves: Rego files, data files by their path below the data root, and the language version. It is named
 * by its content, so two commits with equal policies share a bundle and a revision cannot come to mean something else.
 */
export interface PolicyBundle {
  /** `sha256:…` */
  readonly revision: string;
  readonly policies: readonly PolicyFile[];
  /** Paths decide where the document is seen: `exceptions/s3.yaml` is merged into `data.exceptions`. */
  readonly data: readonly PolicyFile[];
  /** Where messages say the data files are; it has no part in the revision. */
  readonly dataRoot: string;
  readonly regoVersion: RegoVersion;
}

/** Folder of a monorepo whose YAML and JSON files are policies' data; other documents below `policies/` are not. */
export const DATA_ROOT = "policies/data";

const MAX_FILES = 5_000;
const MAX_BYTES = 64 * 1024 * 1024;
const DATA_FILE = /\.(json|ya?ml)$/;

/**
 * The bundle of a repository's files: every `*.rego`, and the YAML and JSON below `policies/data/`. Other files (approval
 * rules, budgets, README) do not count, so that editing them does not change the revision. An OPA `.manifest` beside the
 * policies may say `{"rego_version": 0}`.
 *
 * @throws {BundleInvalidError} when a path is no relative path, comes twice, or there is too much.
 */
export function defineBundle(files: readonly PolicyFile[]): PolicyBundle {
  const manifest = files.filter(({ path }) => posix.basename(path) === ".manifest");
  return composeBundle(
    files.filter(({ path }) => path.endsWith(".rego")),
    files.flatMap(({ path, content }) =>
      path.startsWith(`${DATA_ROOT}/`) ? [{ path: path.slice(DATA_ROOT.length + 1), content }] : [],
    ),
    { regoVersion: manifest.map(readRegoVersion).at(-1) ?? "v1", dataRoot: DATA_ROOT },
  );
}

/**
 * A bundle of policies and data named one by one, as `xcf policy eval -p DIR -d DATA` does.
 *
 * @throws {BundleInvalidError} as `defineBundle` does.
 */
export function composeBundle(
  policies: readonly PolicyFile[],
  data: readonly PolicyFile[],
  { regoVersion, dataRoot }: Pick<PolicyBundle, "regoVersion" | "dataRoot">,
): PolicyBundle {
  const sorted = { policies: sortFiles(policies), data: sortFiles(data.filter(({ path }) => DATA_FILE.test(path))) };
  checkAmount([...sorted.policies, ...sorted.data]);
  return { ...sorted, dataRoot, regoVersion, revision: revisionOf(sorted.policies, sorted.data, regoVersion) };
}

/** Lengths are hashed with the bytes, so that no two lists of files run into each other. */
function revisionOf(policies: readonly PolicyFile[], data: readonly PolicyFile[], regoVersion: RegoVersion): string {
  const hash = createHash("sha256").update(`xcf-policy-bundle/1 ${regoVersion}\n`);
  for (const [kind, files] of [
    ["rego", policies],
    ["data", data],
  ] as const) {
    for (const { path, content } of files) {
      hash
        .update(`${kind} ${Buffer.byteLength(path)} ${content.length}\n`)
        .update(path)
        .update(content);
    }
  }
  return `sha256:${hash.digest("hex")}`;
}

function sortFiles(files: readonly PolicyFile[]): readonly PolicyFile[] {
  const sorted = files
    .map(({ path, content }) => ({ path: checkPath(path), content }))
    .sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  for (const [index, { path }] of sorted.entries()) {
    if (sorted[index + 1]?.path !== path) continue;
    throw new BundleInvalidError(path, "the file comes twice", "name each policy and data file once");
  }
  return sorted;
}

function checkPath(path: string): string {
  const normal = posix.normalize(path);
  const leaves = posix.isAbsolute(normal) || normal === ".." || normal.startsWith("../");
  if (!leaves && !/[\0\\]/.test(path) && !normal.endsWith("/")) return normal;
  throw new BundleInvalidError(JSON.stringify(path), "no path inside a bundle", "use paths relative to the repository");
}

function checkAmount(files: readonly PolicyFile[]): void {
  const bytes = files.reduce((sum, { content }) => sum + content.length, 0);
  if (files.length <= MAX_FILES && bytes <= MAX_BYTES) return;
  throw new BundleInvalidError(
    "policies",
    `${files.length} files with ${bytes} bytes are too much for a bundle`,
    `keep it below ${MAX_FILES} files and ${MAX_BYTES} bytes`,
  );
}

function readRegoVersion({ path, content }: PolicyFile): RegoVersion {
  let manifest: unknown;
  try {
    manifest = JSON.parse(new TextDecoder().decode(content));
  } catch {
    throw new BundleInvalidError(path, "not valid JSON", 'write {"rego_version": 0} or 1, or remove the file');
  }
  const version =
    typeof manifest === "object" && manifest !== null && "rego_version" in manifest ? manifest.rego_version : 1;
  if (version === 0 || version === 1) return version === 0 ? "v0" : "v1";
  throw new BundleInvalidError(path, `rego_version ${JSON.stringify(version)} is unknown`, "write 0 or 1");
}
