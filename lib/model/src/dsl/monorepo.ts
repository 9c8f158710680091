import { checkComposition } from "./composition-checks.ts";
import { type Expansion, expandEnvironment } from "./expansion.ts";
import { checkExpansions } from "./expansion-checks.ts";
import { type Monorepo, MonorepoIndex, PLATFORM_FILE } from "./monorepo-index.ts";
import { type ParseResult, parseDocuments, type Strictness } from "./parse.ts";
import { checkPlatform } from "./platform-checks.ts";
import { compareProblems, type Problem } from "./problem.ts";

export interface MonorepoResult {
  readonly monorepo: Monorepo;
  readonly problems: readonly Problem[];
  /** Every environment's units, by its name: they have been worked out to be checked. */
  readonly expansions: ReadonlyMap<string, Expansion>;
}

export interface MonorepoOptions {
  /** Whether the repository has this folder; without it, local module refs are not looked up. */
  readonly folderExists?: ((path: string) => boolean) | undefined;
  /** Kept by the caller between calls: a file whose text is the same is not parsed again. */
  readonly cache?: ParseCache | undefined;
}

/** Path → what was parsed last, and from which text. */
export type ParseCache = Map<string, { readonly text: string; readonly result: ParseResult }>;

/** How strictly a file is read as DSL, or undefined when it is none: the planner asks this of every path of a snapshot. */
export function dslStrictness(path: string): Strictness | undefined {
  if (path === PLATFORM_FILE) return "every-document";
  if (!/\.ya?ml$/.test(path)) return undefined;
  if (path.startsWith("compositions/")) return "every-document";
  if (/^envs\/[^/]+\/environment\.ya?ml$/.test(path)) return "every-document";
  return path.startsWith("envs/") || path.startsWith("policies/") ? "own-documents" : undefined;
}

/**
 * Reads, indexes and checks all DSL files of a repository (path → text; other paths are ignored). All problems at once,
 * in order of place; what is good is in the monorepo even when something else is not. Never throws.
 */
export function compileMonorepo(files: ReadonlyMap<string, string>, options: MonorepoOptions = {}): MonorepoResult {
  const index = new MonorepoIndex();
  for (const [path, text] of files) {
    const strictness = dslStrictness(path);
    if (strictness === undefined) continue;
    const { documents, problems } = parseCached(path, text, strictness, options.cache);
    index.problems.push(...problems);
    for (const document of documents) index.add(document);
  }
  const monorepo = index.finish();
  const { problems } = index;
  checkPlatform(monorepo, problems);
  for (const composition of monorepo.compositions.values()) checkComposition(monorepo, composition, options, problems);
  const expansions = [...monorepo.environments.values()].map((environment) => expandEnvironment(monorepo, environment));
  for (const expansion of expansions) problems.push(...expansion.problems);
  checkExpansions(monorepo, expansions, problems);
  const byName = expansions.map((expansion) => [expansion.environment.value.metadata.name, expansion] as const);
  return { monorepo, problems: distinctProblems(problems), expansions: new Map(byName) };
}

function parseCached(path: string, text: string, strictness: Strictness, cache: ParseCache | undefined): ParseResult {
  const known = cache?.get(path);
  if (known?.text === text) return known.result;
  const result = parseDocuments(path, text, strictness);
  cache?.set(path, { text, result });
  return result;
}

function distinctProblems(problems: readonly Problem[]): Problem[] {
  if (problems.length < 2) return [...problems];
  const key = (problem: Problem): string =>
    [problem.file, problem.line, problem.col, problem.code, problem.message].join("\0");
  return [...new Map(problems.map((problem) => [key(problem), problem])).values()].sort(compareProblems);
}
