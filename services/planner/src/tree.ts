/** What stands in a folder under one name. */
export type TreeEntry = TreeLeaf | Tree;

export interface TreeLeaf {
  readonly kind: "file" | "executable" | "link" | "submodule";
  /** Git's object id of the content. */
  readonly oid: string;
}

/** A folder. Equal identities, equal contents; a tree that two commits share is one object. */
export interface Tree {
  readonly kind: "tree";
  readonly identity: string;
  /** In git's order. */
  readonly entries: ReadonlyMap<string, TreeEntry>;
  /** Names that nothing may be unpacked to: `..`, `.git`, control characters, not UTF-8. They are not among the entries. */
  readonly unsafeNames: readonly string[];
  /** Files below. */
  readonly count: number;
  /** Some file below is a symbolic link, so that the identity does not say everything. */
  readonly linked: boolean;
  /** Something below cannot be part of a module: a submodule, or an unsafe name. */
  readonly flawed: boolean;
}

const UNSAFE_NAME = /^(?:\.{0,2}|\.git)$|[/\\\p{Cc}\uFFFD]/iu;

export function makeTree(identity: string, named: Iterable<readonly [string, TreeEntry]>): Tree {
  const entries = new Map<string, TreeEntry>();
  const unsafeNames: string[] = [];
  let count = 0;
  let linked = false;
  let flawed = false;
  for (const [name, entry] of named) {
    if (UNSAFE_NAME.test(name)) {
      unsafeNames.push(name);
      flawed = true;
      continue;
    }
    entries.set(name, entry);
    if (entry.kind === "tree") {
      count += entry.count;
      linked ||= entry.linked;
      flawed ||= entry.flawed;
    } else {
      count += 1;
      linked ||= entry.kind === "link";
      flawed ||= entry.kind === "submodule";
    }
  }
  return { kind: "tree", identity, entries, unsafeNames, count, linked, flawed };
}

/** What a path of names leads to; links are not followed. `""` is the tree itself. */
export function entryAt(root: Tree, path: string): TreeEntry | undefined {
  let entry: TreeEntry | undefined = root;
  if (path === "") return entry;
  for (let start = 0; entry?.kind === "tree"; ) {
    const slash = path.indexOf("/", start);
    entry = entry.entries.get(slash === -1 ? path.slice(start) : path.slice(start, slash));
    if (slash === -1) return entry;
    start = slash + 1;
  }
  return undefined;
}

/** Every leaf below, with its path, in git's order. */
export function* leavesOf(tree: Tree, prefix = ""): Generator<readonly [string, TreeLeaf]> {
  for (const [name, entry] of tree.entries) {
    if (entry.kind === "tree") yield* leavesOf(entry, `${prefix}${name}/`);
    else yield [prefix + name, entry];
  }
}

/** A path below the tree that cannot be part of a module, and why. */
export function flawOf(
  tree: Tree,
  prefix = "",
): { readonly path: string; readonly flaw: "submodule" | "unsafe" } | undefined {
  const [unsafe] = tree.unsafeNames;
  if (unsafe !== undefined) return { path: prefix + unsafe, flaw: "unsafe" };
  for (const [name, entry] of tree.entries) {
    if (entry.kind === "submodule") return { path: prefix + name, flaw: "submodule" };
    const below = entry.kind === "tree" && entry.flawed ? flawOf(entry, `${prefix}${name}/`) : undefined;
    if (below !== undefined) return below;
  }
  return undefined;
}
