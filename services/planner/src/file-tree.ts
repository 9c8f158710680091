import { createHash } from "node:crypto";
import { makeTree, type Tree, type TreeEntry, type TreeLeaf } from "./tree.ts";

/** A file by its path, of something that has no trees of its own. */
export interface FileEntry extends TreeLeaf {
  readonly path: string;
}

/**
 * Folders for a list of files. They get identities made of their contents' ids; `origin` keeps them from being mistaken
 * for git's, or for each other's where ids are made in another way.
 */
export function treeOfFiles(files: readonly FileEntry[], origin: "work-tree" | "archive"): Tree {
  const folders = new Map<string, Map<string, TreeEntry>>([["", new Map()]]);
  const membersOf = (folder: string): Map<string, TreeEntry> => {
    const known = folders.get(folder);
    if (known !== undefined) return known;
    const made = new Map<string, TreeEntry>();
    folders.set(folder, made);
    membersOf(parentOf(folder));
    return made;
  };
  for (const { path, kind, oid } of files) membersOf(parentOf(path)).set(nameOf(path), { kind, oid });
  // The deepest first: a folder is made when everything in it is.
  const paths = [...folders.keys()].sort((a, b) => depthOf(b) - depthOf(a));
  let root = makeTree("", []);
  for (const path of paths) {
    const members = [...membersOf(path)].sort(([a], [b]) => (a < b ? -1 : 1));
    const tree = makeTree(identityOf(members, origin), members);
    if (path === "") root = tree;
    else membersOf(parentOf(path)).set(nameOf(path), tree);
  }
  return root;
}

function identityOf(members: readonly (readonly [string, TreeEntry])[], origin: string): string {
  const hash = createHash("sha256");
  for (const [name, entry] of members) {
    hash.update(`${entry.kind} ${entry.kind === "tree" ? entry.identity : entry.oid} ${name}\0`);
  }
  return `${origin}:${hash.digest("hex")}`;
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(path.lastIndexOf("/"), 0));
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

function depthOf(path: string): number {
  return path === "" ? 0 : path.split("/").length;
}
