import { posix } from "node:path";
import { SnapshotUnsafeError } from "./git-errors.ts";
import type { LruCache } from "./lru-cache.ts";
import { checkFolder, resolvePath, type Snapshot, type SnapshotFile, type SnapshotFolder } from "./snapshot.ts";
import { isLocalSource, isTerraformFile, scanTerraformSources, type TerraformSource } from "./terraform-sources.ts";

/** A file of a module's archive; links have become what they point to. */
export interface ClosureFile {
  /** In the archive. */
  readonly path: string;
  readonly executable: boolean;
  readonly snapshot: Snapshot;
  readonly file: SnapshotFile;
}

/** A module's folder with every folder and file it includes. */
export interface Closure {
  /** The module's own folder in the archive. */
  readonly path: string;
  /** Equal keys, equal archives. */
  readonly key: string;
  /** Paths of the repository that it is made of. */
  readonly paths: readonly string[];
  /** Nothing but the module's own folder decides what is in it. */
  readonly selfContained: boolean;
  /** In the order of their paths. Worked out when asked. */
  readonly listFiles: () => Promise<ClosureFile[]>;
}

/** Something in a module that keeps it from being packed, where it stands. */
export interface ClosureProblem {
  readonly file: string;
  readonly line: number;
  readonly col: number;
  readonly code: string;
  readonly message: string;
  readonly hint: string;
}

/** Thrown inside this module only, to carry a problem out of the walk. */
class ClosureProblemFound extends Error {
  readonly problem: ClosureProblem;

  constructor(problem: ClosureProblem) {
    super(problem.message);
    this.problem = problem;
  }
}

export interface ClosureRequest {
  readonly snapshot: Snapshot;
  /** Put before the folder's paths in the archive (`""`, or where a fetched repository goes). */
  readonly prefix: string;
  /** Repository path; `""` is the root. */
  readonly folder: string;
  /** Follow `source = "../x"` of Terraform files. */
  readonly terraform: boolean;
  /** Single files that go with it: variable files of the environment. They keep their paths. */
  readonly files: { readonly snapshot: Snapshot; readonly paths: readonly string[] };
}

/** Sources found in one folder's own Terraform files, by the file that has them. */
type FolderSources = readonly { readonly file: string; readonly sources: readonly TerraformSource[] }[];

/** What has been scanned before, by folder identity: a folder that did not change is not read again. */
export type SourceCache = LruCache<string, FolderSources>;

/** A folder as it is included: links on the way to it are gone, so that `path` and `real` may differ. */
interface Included {
  readonly path: string;
  readonly real: SnapshotFolder;
}

/**
 * What a module is made of. Terraform's local modules are followed as far as they go, inside the snapshot only.
 *
 * @returns problems when a source or link leads nowhere or out of the repository.
 */
export async function collectClosure(request: ClosureRequest, cache: SourceCache): Promise<Closure | ClosureProblem[]> {
  const { snapshot } = request;
  const problems: ClosureProblem[] = [];
  const roots: Included[] = [];
  const scanned = new Set<string>();
  const queue: string[] = [request.folder];
  try {
    for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
      if (scanned.has(path)) continue;
      scanned.add(path);
      const real = await realFolder(snapshot, path);
      if (real === undefined) {
        // The folder of the ref itself: a missing source has been reported where it stands.
        problems.push({
          file: path,
          line: 0,
          col: 0,
          code: "MODULE_MISSING",
          message: `there is no folder ${path}`,
          hint: "correct the ref",
        });
        continue;
      }
      if (!roots.some((root) => root.path === "" || path === root.path || path.startsWith(`${root.path}/`)))
        roots.push({ path, real });
      if (request.terraform) await followSources(snapshot, path, real, { cache, queue, problems });
    }
    const single = await Promise.all(request.files.paths.map((path) => realFile(request.files.snapshot, path)));
    if (problems.length > 0) return problems;
    return await describeClosure(request, minimalRoots(roots), single);
  } catch (error) {
    if (error instanceof ClosureProblemFound) return [...problems, error.problem];
    if (error instanceof SnapshotUnsafeError) return [...problems, unsafeProblem(error)];
    throw error;
  }
}

function unsafeProblem(error: SnapshotUnsafeError): ClosureProblem {
  return { file: error.where ?? "", line: 0, col: 0, code: error.code, message: error.what, hint: error.hint ?? "" };
}

async function describeClosure(
  { snapshot, folder, prefix }: ClosureRequest,
  roots: readonly Included[],
  single: readonly ClosureFile[],
): Promise<Closure> {
  const joined = (path: string): string => [prefix, path].filter((part) => part !== "").join("/");
  const links: string[] = [];
  for (const root of roots) {
    checkFolder(snapshot, root.real.path);
    if (root.real.linked)
      for (const file of await expandFolder(snapshot, root)) links.push(`${file.path}=${file.file.oid}`);
  }
  const parts = [
    ...roots.map(({ path, real }) => `${path}=${real.identity}`),
    ...single.map(({ path, file }) => `${path}=${file.oid}`),
  ];
  return {
    path: joined(folder) || ".",
    paths: prefix === "" ? [...roots.map(({ real }) => real.path), ...single.map(({ file }) => file.path)] : [],
    selfContained: roots.length === 1 && single.length === 0 && links.length === 0,
    key: [prefix, folder, ...parts.sort(), ...links].join("\n"),
    listFiles: async () => {
      const files = new Map<string, ClosureFile>();
      for (const root of roots)
        for (const file of await expandFolder(snapshot, root))
          files.set(joined(file.path), { ...file, path: joined(file.path) });
      for (const file of single) files.set(file.path, file);
      return [...files.values()].sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
    },
  };
}

/** A root that lies in another one adds nothing. */
function minimalRoots(roots: readonly Included[]): Included[] {
  return roots.filter(
    (root) => !roots.some((other) => other !== root && (other.path === "" || root.path.startsWith(`${other.path}/`))),
  );
}

async function realFolder(snapshot: Snapshot, path: string): Promise<SnapshotFolder | undefined> {
  const direct = snapshot.folder(path);
  if (direct !== undefined) return direct;
  const resolved = await resolvePath(snapshot, path);
  return resolved === undefined ? undefined : snapshot.folder(resolved);
}

async function realFile(snapshot: Snapshot, path: string): Promise<ClosureFile> {
  const resolved = await resolvePath(snapshot, path);
  const file = resolved === undefined ? undefined : snapshot.file(resolved);
  if (file !== undefined) return { path, executable: file.kind === "executable", snapshot, file };
  throw new ClosureProblemFound({
    file: path,
    line: 0,
    col: 0,
    code: "FILE_MISSING",
    message: `there is no file ${path}`,
    hint: "correct varFiles, or add the file",
  });
}

const MAX_LINKED_FILES = 100_000;

/** The folder's files with every symbolic link replaced by what it points to. */
async function expandFolder(snapshot: Snapshot, { path, real }: Included): Promise<ClosureFile[]> {
  const found: ClosureFile[] = [];
  const pending: { readonly folder: SnapshotFolder; readonly at: string; readonly within: readonly string[] }[] = [
    { folder: real, at: path, within: [real.path] },
  ];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    checkFolder(snapshot, next.folder.path);
    const skip = next.folder.path === "" ? 0 : next.folder.path.length + 1;
    for (const file of next.folder.files) {
      const at = [next.at, file.path.slice(skip)].filter((part) => part !== "").join("/");
      if (file.kind !== "link") {
        found.push({ path: at, executable: file.kind === "executable", snapshot, file });
        continue;
      }
      const resolved = await resolvePath(snapshot, file.path);
      const target = resolved === undefined ? undefined : snapshot.file(resolved);
      const folder = resolved === undefined ? undefined : snapshot.folder(resolved);
      if (target !== undefined)
        found.push({ path: at, executable: target.kind === "executable", snapshot, file: target });
      else if (folder === undefined)
        throw new SnapshotUnsafeError(file.path, "this symbolic link points to nothing", "remove the link");
      else if (
        next.within.some((outer) => folder.path === "" || outer === folder.path || outer.startsWith(`${folder.path}/`))
      ) {
        throw new SnapshotUnsafeError(
          file.path,
          "this symbolic link points to a folder that holds it",
          "remove the link",
        );
      } else pending.push({ folder, at, within: [...next.within, folder.path] });
      if (found.length > MAX_LINKED_FILES)
        throw new SnapshotUnsafeError(file.path, "symbolic links make the module too large", "remove some of them");
    }
  }
  return found;
}

interface Walk {
  readonly cache: SourceCache;
  readonly queue: string[];
  readonly problems: ClosureProblem[];
}

async function followSources(
  snapshot: Snapshot,
  path: string,
  folder: SnapshotFolder,
  { cache, queue, problems }: Walk,
): Promise<void> {
  let scanned = folder.linked ? undefined : cache.get(folder.identity);
  if (scanned === undefined) {
    const files = ownTerraformFiles(folder);
    const resolved = await Promise.all(files.map((file) => (file.kind === "link" ? linkedFile(snapshot, file) : file)));
    scanned = scanFiles(folder, files, resolved, await snapshot.read(resolved));
    if (!folder.linked) cache.set(folder.identity, scanned);
  }
  for (const { file, sources } of scanned) {
    for (const { source, line, col } of sources) {
      const problem = (code: string, message: string, hint: string): void => {
        problems.push({ file: `${path === "" ? "" : `${path}/`}${file}`, line, col, code, message, hint });
      };
      const target = posix.normalize(posix.join(path === "" ? "." : path, source)).replace(/\/$/, "");
      if (target === ".." || target.startsWith("../")) {
        problem(
          "SOURCE_OUTSIDE",
          `"${source}" leaves the repository`,
          "keep modules inside the repository, or use a git:: source",
        );
      } else if ((await realFolder(snapshot, target === "." ? "" : target)) === undefined) {
        problem("SOURCE_MISSING", `there is no folder ${target}`, "correct the module's source");
      } else {
        queue.push(target === "." ? "" : target);
      }
    }
  }
}

/** Reads the Terraform files of many modules at once, so that following them one by one finds them scanned. */
export async function warmSources(requests: readonly ClosureRequest[], cache: SourceCache): Promise<void> {
  const cold = new Map<Snapshot, Map<string, SnapshotFolder>>();
  for (const { snapshot, folder: path, terraform } of requests) {
    const folder = terraform ? snapshot.folder(path) : undefined;
    if (folder === undefined || folder.linked || cache.get(folder.identity) !== undefined) continue;
    const folders = cold.get(snapshot) ?? new Map<string, SnapshotFolder>();
    cold.set(snapshot, folders.set(folder.identity, folder));
  }
  for (const [snapshot, folders] of cold) {
    const listed = [...folders.values()].map((folder) => ({ folder, files: ownTerraformFiles(folder) }));
    const contents = await snapshot.read(listed.flatMap(({ files }) => files));
    for (const { folder, files } of listed) cache.set(folder.identity, scanFiles(folder, files, files, contents));
  }
}

/** What Terraform reads as the folder's own configuration: no subfolder. */
function ownTerraformFiles(folder: SnapshotFolder): SnapshotFile[] {
  const start = folder.path === "" ? 0 : folder.path.length + 1;
  return folder.files.filter(({ path }) => isTerraformFile(path) && !path.includes("/", start));
}

function scanFiles(
  folder: SnapshotFolder,
  files: readonly SnapshotFile[],
  resolved: readonly SnapshotFile[],
  contents: ReadonlyMap<string, Buffer>,
): FolderSources {
  const start = folder.path === "" ? 0 : folder.path.length + 1;
  return files.flatMap((file, index) => {
    const name = file.path.slice(start);
    const text = contents.get(resolved[index]?.oid ?? "")?.toString() ?? "";
    const sources = scanTerraformSources(name, text).filter(({ source }) => isLocalSource(source));
    return sources.length === 0 ? [] : [{ file: name, sources }];
  });
}

async function linkedFile(snapshot: Snapshot, link: SnapshotFile): Promise<SnapshotFile> {
  const resolved = await resolvePath(snapshot, link.path);
  return (resolved === undefined ? undefined : snapshot.file(resolved)) ?? link;
}
