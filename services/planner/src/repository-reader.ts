import { type Expansion, expandEnvironment } from "@xcloudflow/model/dsl/expansion";
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
  /** Undefined when there is no such environment. */
  expand(environment: string): Expansion | undefined;
  /** Files that policy is made of: everything below `policies/` that it can read. */
  readonly policyFiles: readonly SnapshotFile[];
}

export interface RepositoryReader {
  /** @param role the files parsed before in the same role are looked at first: a head follows a head. */
  read(snapshot: Snapshot, role: "proposal" | "governing"): Promise<RepositoryContent>;
}

/** Repositories of different commits kept parsed. */
const KEPT_COMMITS = 6;
/** Characters of DSL files kept read. */
const KEPT_TEXT = 128 * 1024 * 1024;

/** Reads and parses snapshots; neither a commit nor a file that is known is parsed again. */
export function createRepositoryReader(): RepositoryReader {
  const known = createLruCache<string, Omit<RepositoryContent, "snapshot">>(KEPT_COMMITS);
  const texts = createLruCache<string, string>(KEPT_TEXT, (text) => text.length);
  const parsed: Record<"proposal" | "governing", ParseCache> = { proposal: new Map(), governing: new Map() };
  return {
    async read(snapshot, role) {
      const before = known.get(snapshot.identity);
      if (before !== undefined) return { ...before, snapshot };
      const content = await readContent(snapshot, texts, parsed[role]);
      known.set(snapshot.identity, content);
      return { ...content, snapshot };
    },
  };
}

async function readContent(
  snapshot: Snapshot,
  known: LruCache<string, string>,
  cache: ParseCache,
): Promise<Omit<RepositoryContent, "snapshot">> {
  const texts = await readTexts(snapshot, known);
  for (const path of cache.keys()) if (!texts.has(path)) cache.delete(path);
  const folderExists = (path: string): boolean =>
    snapshot.folder(path) !== undefined || snapshot.file(path)?.kind === "link";
  const { monorepo, problems } = compileMonorepo(texts, { folderExists, cache });
  const expansions = new Map<string, Expansion>();
  return {
    monorepo,
    problems: problems.map(fromDsl),
    policyFiles:
      snapshot
        .folder("policies")
        ?.files.filter(({ path, kind }) => kind !== "link" && /\.(?:rego|json|ya?ml)$/.test(path)) ?? [],
    expand(name) {
      const environment = monorepo.environments.get(name);
      if (environment === undefined) return undefined;
      const expansion = expansions.get(name) ?? expandEnvironment(monorepo, environment);
      expansions.set(name, expansion);
      return expansion;
    },
  };
}

async function readTexts(snapshot: Snapshot, known: LruCache<string, string>): Promise<Map<string, string>> {
  const files: SnapshotFile[] = [];
  for (const path of snapshot.paths) {
    if (dslStrictness(path) === undefined) continue;
    const file = snapshot.file(path);
    // A link could make one document two; the file it leads to is read where it is.
    if (file !== undefined && file.kind !== "link") files.push(file);
  }
  const texts = new Map<string, string>();
  const missing: SnapshotFile[] = [];
  for (const file of files) {
    const text = known.get(file.oid);
    if (text === undefined) missing.push(file);
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
