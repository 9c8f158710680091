import { equalHashes, hashNode, type MerkleHash } from "./merkle.ts";

/** RFC 9162 section 2.1.3.2: whether `leaf` is leaf number `index` of the tree of `size` leaves with this root. */
export function verifyInclusion(
  leaf: MerkleHash,
  index: number,
  size: number,
  proof: readonly MerkleHash[],
  root: MerkleHash,
): boolean {
  if (index < 0 || index >= size) return false;
  let node = index;
  let last = size - 1;
  let hash = leaf;
  for (const sibling of proof) {
    if (last === 0) return false;
    if (node % 2 === 1 || node === last) {
      hash = hashNode(sibling, hash);
      while (node % 2 === 0 && node !== 0) {
        node = half(node);
        last = half(last);
      }
    } else {
      hash = hashNode(hash, sibling);
    }
    node = half(node);
    last = half(last);
  }
  return last === 0 && equalHashes(hash, root);
}

/** RFC 9162 section 2.1.4.2: whether the tree of `first` leaves is a prefix of the tree of `second`. */
export function verifyConsistency(
  first: number,
  second: number,
  proof: readonly MerkleHash[],
  firstRoot: MerkleHash,
  secondRoot: MerkleHash,
): boolean {
  if (first < 1 || first > second) return false;
  if (first === second) return proof.length === 0 && equalHashes(firstRoot, secondRoot);
  const path = isPowerOfTwo(first) ? [firstRoot, ...proof] : [...proof];
  const [start, ...rest] = path;
  if (start === undefined || proof.length === 0) return false;
  let node = first - 1;
  let last = second - 1;
  while (node % 2 === 1) {
    node = half(node);
    last = half(last);
  }
  let firstHash = start;
  let secondHash = start;
  for (const hash of rest) {
    if (last === 0) return false;
    if (node % 2 === 1 || node === last) {
      firstHash = hashNode(hash, firstHash);
      secondHash = hashNode(hash, secondHash);
      while (node % 2 === 0 && node !== 0) {
        node = half(node);
        last = half(last);
      }
    } else {
      secondHash = hashNode(secondHash, hash);
    }
    node = half(node);
    last = half(last);
  }
  return last === 0 && equalHashes(firstHash, firstRoot) && equalHashes(secondHash, secondRoot);
}

function half(value: number): number {
  return Math.floor(value / 2);
}

function isPowerOfTwo(value: number): boolean {
  return Number.isInteger(Math.log2(value));
}
