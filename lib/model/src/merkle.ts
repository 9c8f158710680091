import { createHash } from "node:crypto";

/**
 * Merkle tree hashing of RFC 9162 section 2.1: SHA-256, a leaf is hashed with the prefix 0x00 and an inner node with 0x01,
 * so that neither can pass for the other. The tree over n leaves splits at the largest power of two below n; therefore
 * every perfect subtree, once complete, keeps its hash for ever, and only complete nodes need to be stored.
 */
export type MerkleHash = Uint8Array;

/** A perfect subtree: the 2^level leaves that start at index · 2^level. Level 0 is a leaf. */
export interface NodeId {
  readonly level: number;
  readonly index: number;
}

export interface MerkleNode extends NodeId {
  readonly hash: MerkleHash;
}

/** Answers the hash of a complete node. */
export type NodeLookup = (node: NodeId) => MerkleHash;

export function hashLeaf(data: Uint8Array): MerkleHash {
  return createHash("sha256").update(LEAF_PREFIX).update(data).digest();
}

export function hashNode(left: MerkleHash, right: MerkleHash): MerkleHash {
  return createHash("sha256").update(NODE_PREFIX).update(left).update(right).digest();
}

/** The root of the tree without leaves: the hash of nothing. */
export function emptyRoot(): MerkleHash {
  return createHash("sha256").digest();
}

export function equalHashes(a: MerkleHash, b: MerkleHash): boolean {
  return a.byteLength === b.byteLength && Buffer.compare(a, b) === 0;
}

const LEAF_PREFIX = new Uint8Array([0]);
const NODE_PREFIX = new Uint8Array([1]);

/** What is needed to append: the number of leaves and the roots of the perfect subtrees, largest first. */
export interface MerkleFrontier {
  readonly size: number;
  readonly hashes: readonly MerkleHash[];
}

export const EMPTY_FRONTIER: MerkleFrontier = { size: 0, hashes: [] };

/** Appends one leaf; `completed` are the inner nodes that it completes, lowest first (the leaf itself is not among them). */
export function appendLeaf(
  { size, hashes }: MerkleFrontier,
  leaf: MerkleHash,
): { readonly frontier: MerkleFrontier; readonly completed: readonly MerkleNode[] } {
  const kept = [...hashes];
  const completed: MerkleNode[] = [];
  let hash = leaf;
  let level = 0;
  // Each trailing one-bit of the size is a perfect subtree that this leaf makes twice as large.
  for (let rest = size; rest % 2 === 1; rest = (rest - 1) / 2) {
    const left = kept.pop();
    if (left === undefined) throw new RangeError(`a frontier of ${size} leaves cannot hold ${hashes.length} hashes`);
    hash = hashNode(left, hash);
    level += 1;
    completed.push({ level, index: (rest - 1) / 2, hash });
  }
  return { frontier: { size: size + 1, hashes: [...kept, hash] }, completed };
}

/** The root over all leaves appended so far. */
export function rootOf({ hashes }: MerkleFrontier): MerkleHash {
  return hashes.length === 0 ? emptyRoot() : hashes.reduceRight((right, left) => hashNode(left, right));
}

/** The root over the first `size` leaves. */
export function rootAt(size: number, lookup: NodeLookup): MerkleHash {
  return size === 0 ? emptyRoot() : hashRange(0, size, lookup);
}

/** Thrown when a proof is asked for about leaves a tree does not have. */
export class ProofRangeError extends RangeError {}

/** RFC 9162 section 2.1.3.1: hashes from the leaf's sibling up. @throws {ProofRangeError} */
export function inclusionProof(index: number, size: number, lookup: NodeLookup): readonly MerkleHash[] {
  if (index < 0 || index >= size) throw new ProofRangeError(`leaf ${index} is not among the first ${size}`);
  const path: MerkleHash[] = [];
  let start = 0;
  let count = size;
  while (count > 1) {
    const half = splitOf(count);
    if (index < start + half) {
      path.push(hashRange(start + half, count - half, lookup));
      count = half;
    } else {
      path.push(hashRange(start, half, lookup));
      start += half;
      count -= half;
    }
  }
  return path.reverse();
}

/** RFC 9162 section 2.1.4.1: that the tree of `first` leaves is a prefix of the tree of `second`. @throws {ProofRangeError} */
export function consistencyProof(first: number, second: number, lookup: NodeLookup): readonly MerkleHash[] {
  if (first < 1 || first > second)
    throw new ProofRangeError(`a tree of ${first} leaves is no prefix of one of ${second}`);
  const path: MerkleHash[] = [];
  let start = 0;
  let count = second;
  let isOriginal = true;
  while (start + count !== first) {
    const half = splitOf(count);
    if (first <= start + half) {
      path.push(hashRange(start + half, count - half, lookup));
      count = half;
    } else {
      path.push(hashRange(start, half, lookup));
      start += half;
      count -= half;
      isOriginal = false;
    }
  }
  if (!isOriginal) path.push(hashRange(start, count, lookup));
  return path.reverse();
}

/** The complete nodes that a computation looks up, so that a store can fetch them in one go. */
export function nodesNeeded(compute: (lookup: NodeLookup) => unknown): readonly NodeId[] {
  const needed: NodeId[] = [];
  compute((node) => {
    needed.push(node);
    return NO_HASH;
  });
  return needed;
}

const NO_HASH = new Uint8Array(32);

/** The root over `count` leaves from `start`, a subtree of the RFC's recursion: its left parts are perfect. */
function hashRange(start: number, count: number, lookup: NodeLookup): MerkleHash {
  const half = splitOf(count);
  if (count === 1 || half * 2 === count) return lookup({ level: Math.log2(count), index: start / count });
  return hashNode(hashRange(start, half, lookup), hashRange(start + half, count - half, lookup));
}

/** The largest power of two below `count` (0 for a single leaf). */
function splitOf(count: number): number {
  let half = 1;
  while (half * 2 < count) half *= 2;
  return count === 1 ? 0 : half;
}
