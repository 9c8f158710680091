import type { Git } from "./git-cli.ts";
import { GitFailedError, SnapshotUnsafeError } from "./git-errors.ts";
import { createLruCache, type LruCache } from "./lru-cache.ts";
import { makeTree, type Tree, type TreeEntry, type TreeLeaf } from "./tree.ts";

/** Reads trees; what two commits share is read once. */
export interface TreeReader {
  read(oid: string): Promise<Tree>;
}

/** Trees kept. One that is evicted lives on in those that hold it. */
const KEPT_TREES = 200_000;
/** Folders inside each other. */
const MAX_DEPTH = 256;

export function createTreeReader(git: Git): TreeReader {
  const known: LruCache<string, Tree> = createLruCache(KEPT_TREES);
  return {
    async read(root) {
      const before = known.get(root);
      if (before !== undefined) return before;
      const listed = await listUnknown(git, root, known);
      return buildTree(root, listed, known);
    },
  };
}

interface RawEntry {
  readonly mode: string;
  readonly name: string;
  readonly oid: string;
}

const TREE_MODE = "40000";
const LEAVES: Readonly<Record<string, TreeLeaf["kind"]>> = {
  "100644": "file",
  "100664": "file",
  "100755": "executable",
  "120000": "link",
  "160000": "submodule",
};

/** Level by level: one question to git for all folders of a depth. */
async function listUnknown(git: Git, root: string, known: LruCache<string, Tree>): Promise<Map<string, RawEntry[]>> {
  const listed = new Map<string, RawEntry[]>();
  let level = [root];
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > MAX_DEPTH)
      throw new SnapshotUnsafeError(root, `folders are more than ${MAX_DEPTH} deep`, "flatten them");
    const contents = await git.readTrees(level);
    const next = new Set<string>();
    for (const oid of level) {
      const entries = parseTree(contents.get(oid), oid);
      listed.set(oid, entries);
      for (const { mode, oid: child } of entries) {
        if (mode === TREE_MODE && !listed.has(child) && known.get(child) === undefined) next.add(child);
      }
    }
    level = [...next].filter((oid) => !listed.has(oid));
  }
  return listed;
}

/** `<mode> <name>\0<id>` again and again; an id is 20 bytes, or 32 where the repository uses SHA-256. */
function parseTree(content: Buffer | undefined, oid: string): RawEntry[] {
  if (content === undefined) throw new GitFailedError(`tree ${oid} is missing`);
  const idBytes = oid.length / 2;
  const entries: RawEntry[] = [];
  for (let at = 0; at < content.length; ) {
    const space = content.indexOf(0x20, at);
    const end = content.indexOf(0, space);
    if (space === -1 || end === -1 || end + idBytes >= content.length)
      throw new GitFailedError(`tree ${oid} is malformed`);
    entries.push({
      mode: content.toString("latin1", at, space),
      name: content.toString("utf8", space + 1, end),
      oid: content.toString("hex", end + 1, end + 1 + idBytes),
    });
    at = end + 1 + idBytes;
  }
  return entries;
}

function buildTree(oid: string, listed: ReadonlyMap<string, readonly RawEntry[]>, known: LruCache<string, Tree>): Tree {
  const before = known.get(oid);
  if (before !== undefined) return before;
  const entries: [string, TreeEntry][] = [];
  for (const { mode, name, oid: child } of listed.get(oid) ?? []) {
    const kind = LEAVES[mode];
    if (mode === TREE_MODE) entries.push([name, buildTree(child, listed, known)]);
    else if (kind !== undefined) entries.push([name, { kind, oid: child }]);
  }
  const tree = makeTree(oid, entries);
  known.set(oid, tree);
  return tree;
}
