import type { Namespace, RuleIndex } from "./rule-index.ts";

/** What is asked about the ChangeSet as a whole where nobody names namespaces; a bundle need not have it. */
export const CHANGE_SET_NAMESPACE = "changeset";

/** Which namespaces are asked. */
export interface NamespaceQuestion {
  /** Names, or patterns with `*`, `?` and `[…]`; none means `main`. */
  readonly names: readonly string[];
  readonly all: boolean;
}

/**
 * The namespaces meant, each once, as conftest chooses them: all, those that match where any name is a pattern, else
 * exactly those named. A name that no policy has stands for a namespace without rules.
 */
export function chooseNamespaces({ names, all }: NamespaceQuestion, { namespaces }: RuleIndex): readonly Namespace[] {
  if (all) return namespaces;
  const wanted = names.length === 0 ? ["main"] : [...new Set(names)];
  if (wanted.some((name) => /[*?[]/.test(name))) {
    const patterns = wanted.map(compilePattern);
    return namespaces.filter(({ name }) => patterns.some((pattern) => pattern.test(name)));
  }
  return wanted.map((name) => namespaces.find((known) => known.name === name) ?? emptyNamespace(name));
}

export function isKnown(namespace: Namespace, { namespaces }: RuleIndex): boolean {
  return namespaces.includes(namespace);
}

function emptyNamespace(name: string): Namespace {
  return { name, ref: `data.${name}`, rules: [], speaks: [] };
}

/** Go's `path.Match` over names, in which `/` does not occur: `*` any characters, `?` one, `[a-z]`, `[^a]`, `\` escapes. */
function compilePattern(pattern: string): RegExp {
  let source = "";
  for (let at = 0; at < pattern.length; at++) {
    const character = pattern.charAt(at);
    if (character === "*") source += "[^/]*";
    else if (character === "?") source += "[^/]";
    else if (character === "[") {
      const end = pattern.indexOf("]", at + 2);
      if (end < 0) return /(?!)/u;
      source += `[${pattern.slice(at + 1, end).replaceAll(/[\\[&~]/g, "\\$&")}]`;
      at = end;
    } else source += (character === "\\" ? pattern.charAt(++at) : character).replace(/[\\^$.*+?()[\]{}|/-]/, "\\$&");
  }
  return new RegExp(`^${source}$`);
}
