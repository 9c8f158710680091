import { createHash } from "node:crypto";
import type { Expansion } from "@xcloudflow/model/dsl/expansion";
import { compileMonorepo, dslStrictness, type ParseCache } from "@xcloudflow/model/dsl/monorepo";
import type { Monorepo } from "@xcloudflow/model/dsl/monorepo-index";
import type { Problem as DslProblem } from "@xcloudflow/model/dsl/problem";
import type { Problem } from "@xcloudflow/model/problems-found-error";
import { createLruCache, type LruCache } from "./lru-cache.ts";
import type { Snapshot, SnapshotFile } from "./snapshot.ts";

/** What a repository says at one commit. */
export interface RepositoryContent {
  readonly snapshot: Snapshot;
  readonly monorepo: Monorepo;
  /** Errors and warnings, in order of place. */
  readonly problems: readonly Problem[];
  /** By environment. */
  readonly expansions: ReadonlyMap<string, Expansion>;
  /** Files that policy is made of: everything below `policies/` that it can read. */
  readonly policyFiles: readonly SnapshotFile[];
}

export interface RepositoryReader {
  /** @param role the files parsed before in the same role are looked at first: a head follows a head. */
  read(snapshot: Snapshot, role: "proposal" | "governing"): Promise<RepositoryContent>;
}

/** Everything that depends on DSL files alone, and on which folders are there. */
interface Declarations {
  readonly monorepo: Monorepo;
  readonly problems: readonly Problem[];
  readonly expansions: ReadonlyMap<string, Expansion>;
  readonly folders: ReadonlyMap<string, boolean>;
}

/** Declarations of different commits kept. */
const KEPT_DECLARATIONS = 6;
/** Characters of DSL files kept read. */
const KEPT_TEXT = 128 * 1024 * 1024;

/** Reads and parses snapshots. A commit that changes no declaration is not looked into again, a file not parsed again. */
export function createRepositoryReader(): RepositoryReader {
  const known = createLruCache<string, Declarations>(KEPT_DECLARATIONS);
  const texts = createLruCache<string, string>(KEPT_TEXT, (text) => text.length);
  const parsed: Record<"proposal" | "governing", ParseCache> = { proposal: new Map(), governing: new Map() };
  return {
    async read(snapshot, role) {
      const files = declarationFiles(snapshot);
      const key = identityOf(files);
      let declarations = known.get(key);
      if (declarations === undefined || !sameFolders(snapshot, declarations.folders)) {
        declarations = readDeclarations(snapshot, await readTexts(snapshot, files, texts), parsed[role]);
        known.set(key, declarations);
      }
      const { monorepo, problems, expansions } = declarations;
      return { snapshot, monorepo, problems, expansions, policyFiles: policyFilesOf(snapshot) };
    },
  };
}

function declarationFiles(snapshot: Snapshot): SnapshotFile[] {
  // A link could make one document two; the file it leads to is read where it is.
  return snapshot.files.filter(({ path, kind }) => kind !== "link" && dslStrictness(path) !== undefined);
}

function policyFilesOf(snapshot: Snapshot): SnapshotFile[] {
  const files = snapshot.folder("policies")?.files ?? [];
  return files.filter(({ path, kind }) => kind !== "link" && /\.(?:rego|json|ya?ml)$/.test(path));
}

function identityOf(files: readonly SnapshotFile[]): string {
  const lines = files.map(({ path, oid }) => `${oid} ${path}\n`);
  return createHash("sha256").update(lines.join("")).digest("hex");
}

function hasFolder(snapshot: Snapshot, path: string): boolean {
  return snapshot.folder(path) !== undefined || snapshot.file(path)?.kind === "link";
}

function sameFolders(snapshot: Snapshot, folders: ReadonlyMap<string, boolean>): boolean {
  for (const [path, was] of folders) if (hasFolder(snapshot, path) !== was) return false;
  return true;
}

function readDeclarations(snapshot: Snapshot, texts: ReadonlyMap<string, string>, cache: ParseCache): Declarations {
  for (const path of cache.keys()) if (!texts.has(path)) cache.delete(path);
  const folders = new Map<string, boolean>();
  const folderExists = (path: string): boolean => {
    const exists = hasFolder(snapshot, path);
    folders.set(path, exists);
    return exists;
  };
  const { monorepo, problems, expansions } = compileMonorepo(texts, { folderExists, cache });
  return { monorepo, problems: problems.map(fromDsl), expansions, folders };
}

async function readTexts(
  snapshot: Snapshot,
  files: readonly SnapshotFile[],
  known: LruCache<string, string>,
): Promise<Map<string, string>> {
  const texts = new Map<string, string>();
  const missing: SnapshotFile[] = [];
  for (const file of files) {
    const text = known.get(file.oid);
    if (text === undefined) missing.push(file);
    // The order of the map is the order in which documents are indexed.
    texts.set(file.path, text ?? "");
  }
  const contents = await snapshot.read(missing);
  for (const { path, oid } of missing) {
    const text = contents.get(oid)?.toString() ?? "";
    known.set(oid, text);
    texts.set(path, text);
  }
  return texts;
}

function fromDsl({ file, line, col, code, message, hint, severity }: DslProblem): Problem {
  return { file, line, col, code, message, hint, severity };
}
