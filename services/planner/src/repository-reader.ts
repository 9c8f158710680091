import { isDeepStrictEqual } from "node:util";
import type { DeclaredUnit, Expansion } from "@xcloudflow/model/dsl/expansion";
import { compileMonorepo, dslStrictness, type ParseCache } from "@xcloudflow/model/dsl/monorepo";
import { type Monorepo, PLATFORM_FILE } from "@xcloudflow/model/dsl/monorepo-index";
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
  const last: Partial<Record<"proposal" | "governing", Declarations>> = {};
  return {
    async read(snapshot, role) {
      const key = declarationIdentity(snapshot);
      let declarations = known.get(key);
      if (declarations === undefined || !sameFolders(snapshot, declarations.folders)) {
        const read = readDeclarations(
          snapshot,
          await readTexts(snapshot, declarationFiles(snapshot), texts),
          parsed[role],
        );
        declarations = { ...read, expansions: keepUnits(read, last[role]) };
        known.set(key, declarations);
        last[role] = declarations;
      }
      const { monorepo, problems, expansions } = declarations;
      return { snapshot, monorepo, problems, expansions, policyFiles: policyFilesOf(snapshot) };
    },
  };
}

/** Where declarations are; `dslStrictness` says which of the files below are some. */
const DECLARING_FOLDERS = ["compositions", "envs", "policies"];

function declarationFiles(snapshot: Snapshot): SnapshotFile[] {
  const platform = snapshot.file(PLATFORM_FILE);
  const files = DECLARING_FOLDERS.flatMap((folder) => snapshot.folder(folder)?.files ?? []);
  // A link could make one document two; the file it leads to is read where it is.
  return [...(platform === undefined ? [] : [platform]), ...files].filter(
    ({ path, kind }) => kind !== "link" && dslStrictness(path) !== undefined,
  );
}

/** Equal identities, equal declarations. */
function declarationIdentity(snapshot: Snapshot): string {
  const folders = DECLARING_FOLDERS.map((folder) => snapshot.folder(folder)?.identity ?? "");
  return [snapshot.file(PLATFORM_FILE)?.oid ?? "", ...folders].join(" ");
}

function policyFilesOf(snapshot: Snapshot): SnapshotFile[] {
  const files = snapshot.folder("policies")?.files ?? [];
  return files.filter(({ path, kind }) => kind !== "link" && /\.(?:rego|json|ya?ml)$/.test(path));
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

/**
 * The expansions with every unit that is declared as before as the same object, so that what has been worked out for it
 * holds. A unit is made of its files, which are parsed once, and of what its references are bound to.
 */
function keepUnits(read: Declarations, before: Declarations | undefined): ReadonlyMap<string, Expansion> {
  if (before === undefined || before.monorepo.platform?.value !== read.monorepo.platform?.value) return read.expansions;
  return new Map(
    [...read.expansions].map(([name, expansion]) => {
      const old = before.expansions.get(name);
      if (old === undefined || old.environment.value !== expansion.environment.value) return [name, expansion];
      const known = new Map(old.units.map((unit) => [unit.address, unit]));
      return [name, { ...expansion, units: expansion.units.map((unit) => sameUnit(known.get(unit.address), unit)) }];
    }),
  );
}

function sameUnit(before: DeclaredUnit | undefined, unit: DeclaredUnit): DeclaredUnit {
  const same =
    before !== undefined &&
    before.source.composition.value === unit.source.composition.value &&
    before.source.moduleIndex === unit.source.moduleIndex &&
    isDeepStrictEqual(before.inputs, unit.inputs);
  return same ? before : unit;
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
