import type { ApprovalRule } from "./approval-rule.ts";
import type { Budget } from "./budget.ts";
import type { Composition } from "./composition.ts";
import type { Document, Kind } from "./document.ts";
import type { Environment } from "./environment.ts";
import type { ParsedDocument } from "./parse.ts";
import type { Platform } from "./platform.ts";
import type { Problem } from "./problem.ts";
import { problemAtKey } from "./report.ts";
import { normalizeRepositoryPath } from "./repository-path.ts";
import type { Path } from "./source.ts";

export const PLATFORM_FILE = ".xcf.yaml";

/** The DSL documents of one repository at one commit, by name. */
export interface Monorepo {
  readonly platform: ParsedDocument<Platform> | undefined;
  readonly environments: ReadonlyMap<string, ParsedDocument<Environment>>;
  readonly compositions: ReadonlyMap<string, ParsedDocument<Composition>>;
  readonly approvalRules: readonly ParsedDocument<ApprovalRule>[];
  readonly budgets: readonly ParsedDocument<Budget>[];
  /** Composition names by every path that a `ref` may locate them with. */
  readonly compositionRefs: ReadonlyMap<string, string>;
  /** Environment → composition → the regions it is assembled in; one `undefined` where it has none. */
  readonly placements: Placements;
}

export type Placements = ReadonlyMap<string, ReadonlyMap<string, readonly (string | undefined)[]>>;

/** `file:line:col` of the key at `path` in a document, for provenance. */
export function positionOf(document: ParsedDocument, path: Path): string {
  return document.source.reference(document.index, path);
}

/** The composition a `ref` locates, or undefined. */
export function findComposition(monorepo: Monorepo, ref: string): ParsedDocument<Composition> | undefined {
  const name = nameAt(monorepo.compositionRefs, ref);
  return name === undefined ? undefined : monorepo.compositions.get(name);
}

/** Almost every ref is written as the map has it. */
function nameAt(refs: ReadonlyMap<string, string>, ref: string): string | undefined {
  const direct = refs.get(ref);
  if (direct !== undefined) return direct;
  const path = normalizeRepositoryPath(ref);
  return path === undefined ? undefined : refs.get(path);
}

/** Collects documents by kind and refuses a name that is taken. */
export class MonorepoIndex {
  readonly problems: Problem[] = [];
  readonly #environments = new Map<string, ParsedDocument<Environment>>();
  readonly #compositions = new Map<string, ParsedDocument<Composition>>();
  readonly #refs = new Map<string, string>();
  readonly #rules = new Map<string, ParsedDocument<ApprovalRule>>();
  readonly #budgets = new Map<string, ParsedDocument<Budget>>();
  #platform: ParsedDocument<Platform> | undefined;

  finish(): Monorepo {
    return {
      platform: this.#platform,
      environments: this.#environments,
      compositions: this.#compositions,
      approvalRules: [...this.#rules.values()],
      budgets: [...this.#budgets.values()],
      compositionRefs: this.#refs,
      placements: placeCompositions([...this.#environments.values()], this.#refs),
    };
  }

  add(document: ParsedDocument): void {
    const { kind } = document.value;
    if (kind !== allowedKind(document.source.file, kind)) this.#misplaced(document);
    else if (isOfKind(document, "Platform")) this.#addPlatform(document);
    else if (isOfKind(document, "Environment")) this.#claim(this.#environments, document);
    else if (isOfKind(document, "ApprovalRule")) this.#claim(this.#rules, document);
    else if (isOfKind(document, "Budget")) this.#claim(this.#budgets, document);
    else if (isOfKind(document, "Composition") && this.#claim(this.#compositions, document)) this.#locate(document);
  }

  #addPlatform(document: ParsedDocument<Platform>): void {
    if (this.#platform === undefined) this.#platform = document;
    else this.#report(document, ["kind"], "NAME_TAKEN", "there is a second Platform document", "keep one");
  }

  #claim<T extends ParsedDocument<NamedDocument>>(documents: Map<string, T>, document: T): boolean {
    const { name } = document.value.metadata;
    const taken = documents.get(name);
    if (taken === undefined) {
      documents.set(name, document);
      return true;
    }
    const place = positionOf(taken, ["metadata", "name"]);
    this.#report(
      document,
      ["metadata", "name"],
      "NAME_TAKEN",
      `the ${document.value.kind} "${name}" is there twice`,
      `the first is at ${place}; rename one of them`,
    );
    return false;
  }

  /** A file is located by its path with or without extension, a folder by the `composition.yaml` in it. */
  #locate(document: ParsedDocument<Composition>): void {
    const { file } = document.source;
    const { name } = document.value.metadata;
    const stem = file.replace(/\.ya?ml$/, "");
    const refs = [file, stem];
    if (stem.endsWith("/composition")) refs.push(stem.slice(0, -"/composition".length));
    for (const ref of refs) {
      const taken = this.#refs.get(ref);
      if (taken === undefined) this.#refs.set(ref, name);
      else {
        this.#report(
          document,
          ["metadata", "name"],
          "REF_AMBIGUOUS",
          `"${ref}" locates both "${taken}" and "${name}"`,
          "put each composition in a file of its own",
        );
        return;
      }
    }
  }

  #misplaced(document: ParsedDocument): void {
    const { kind } = document.value;
    this.#report(
      document,
      ["kind"],
      "KIND_MISPLACED",
      `a document of kind ${kind} has no place in this file`,
      `it belongs in ${PLACES[kind]}`,
    );
  }

  #report(document: ParsedDocument, path: Path, code: string, message: string, hint: string): void {
    this.problems.push(problemAtKey(document, path, { code, message, hint }));
  }
}

type NamedDocument = Exclude<Document, Platform>;

function isOfKind<K extends Kind>(
  document: ParsedDocument,
  kind: K,
): document is ParsedDocument<Extract<Document, { readonly kind: K }>> {
  return document.value.kind === kind;
}

const PLACES: Readonly<Record<Kind, string>> = {
  Platform: ".xcf.yaml",
  Environment: "envs/<name>/environment.yaml",
  Composition: "compositions/",
  ApprovalRule: "policies/",
  Budget: "policies/",
};

/** Which kind a file may hold, given the kind it does: the layout of the repository is part of the language. */
function allowedKind(file: string, kind: Kind): Kind | undefined {
  if (file === PLATFORM_FILE) return "Platform";
  if (file.startsWith("envs/")) return "Environment";
  if (file.startsWith("compositions/")) return "Composition";
  return kind === "ApprovalRule" || kind === "Budget" ? kind : undefined;
}

function placeCompositions(
  environments: readonly ParsedDocument<Environment>[],
  refs: ReadonlyMap<string, string>,
): Placements {
  const placements = new Map<string, Map<string, (string | undefined)[]>>();
  for (const { value } of environments) {
    const placed = new Map<string, (string | undefined)[]>();
    placements.set(value.metadata.name, placed);
    for (const { ref, regions } of value.spec.compositions) {
      const name = nameAt(refs, ref);
      if (name === undefined) continue;
      placed.set(name, [...(placed.get(name) ?? []), ...(regions ?? [undefined])]);
    }
  }
  return placements;
}
