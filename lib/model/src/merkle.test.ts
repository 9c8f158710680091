import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  appendLeaf,
  consistencyProof,
  EMPTY_FRONTIER,
  emptyRoot,
  equalHashes,
  hashLeaf,
  hashNode,
  inclusionProof,
  type MerkleHash,
  type NodeLookup,
  nodesNeeded,
  ProofRangeError,
  rootAt,
  rootOf,
} from "./merkle.ts";
import { verifyConsistency, verifyInclusion } from "./merkle-verification.ts";

/** Leaves and roots of the reference tree that RFC 6962 and RFC 9162 implementations test against. */
const LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
const ROOTS = [
  "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
  "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
  "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
  "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
  "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
  "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
  "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
  "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

/** The definition in section 2.1.1, word for word and without any storing. */
function naiveRoot(leaves: readonly Uint8Array[]): MerkleHash {
  const [first] = leaves;
  if (first === undefined) return emptyRoot();
  if (leaves.length === 1) return hashLeaf(first);
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  return hashNode(naiveRoot(leaves.slice(0, split)), naiveRoot(leaves.slice(split)));
}

function lookupOver(leaves: readonly Uint8Array[]): NodeLookup {
  const nodes = new Map<string, MerkleHash>();
  let frontier = EMPTY_FRONTIER;
  for (const [index, leaf] of leaves.entries()) {
    nodes.set(`0/${index}`, hashLeaf(leaf));
    const appended = appendLeaf(frontier, hashLeaf(leaf));
    for (const { level, index: at, hash } of appended.completed) nodes.set(`${level}/${at}`, hash);
    frontier = appended.frontier;
  }
  return ({ level, index }) => nodes.get(`${level}/${index}`) ?? assert.fail(`node ${level}/${index} is not complete`);
}

const manyLeaves = (count: number): Uint8Array[] =>
  Array.from({ length: count }, (_, index) => new TextEncoder().encode(`leaf ${index}`));
const hex = (hash: MerkleHash): string => Buffer.from(hash).toString("hex");

test("gives the roots of the reference tree", () => {
  assert.equal(hex(emptyRoot()), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  let frontier = EMPTY_FRONTIER;
  for (const [index, leaf] of LEAVES.entries()) {
    frontier = appendLeaf(frontier, hashLeaf(Buffer.from(leaf, "hex"))).frontier;
    assert.equal(hex(rootOf(frontier)), ROOTS[index]);
  }
});

test("gives the inclusion and consistency proofs of the reference tree", () => {
  const lookup = lookupOver(LEAVES.map((leaf) => Buffer.from(leaf, "hex")));
  assert.deepEqual(inclusionProof(5, 8, lookup).map(hex), [
    "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
  ]);
  assert.deepEqual(consistencyProof(6, 8, lookup).map(hex), [
    "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
    "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
  ]);
});

test("agrees with the definition for every size up to 130", () => {
  const leaves = manyLeaves(130);
  const lookup = lookupOver(leaves);
  for (let size = 0; size <= leaves.length; size++) {
    assert.ok(equalHashes(rootAt(size, lookup), naiveRoot(leaves.slice(0, size))), `size ${size}`);
  }
});

test("proves every leaf of every tree up to 40 leaves, and nothing else", () => {
  const leaves = manyLeaves(40);
  const lookup = lookupOver(leaves);
  for (let size = 1; size <= leaves.length; size++) {
    const root = rootAt(size, lookup);
    for (let index = 0; index < size; index++) {
      const proof = inclusionProof(index, size, lookup);
      const leaf = lookup({ level: 0, index });
      assert.ok(verifyInclusion(leaf, index, size, proof, root));
      assert.ok(!verifyInclusion(hashLeaf(Buffer.from("forged")), index, size, proof, root));
      assert.ok(!verifyInclusion(leaf, index, size, [...proof, root], root));
      if (proof.length > 0) assert.ok(!verifyInclusion(leaf, index, size, proof.slice(1), root));
      if (size > 1) assert.ok(!verifyInclusion(leaf, (index + 1) % size, size, proof, root));
    }
  }
});

test("proves every prefix consistent, and no fork", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 0, max: 200 }), fc.nat(), (first, more, seed) => {
      const second = first + more;
      const leaves = manyLeaves(second);
      const lookup = lookupOver(leaves);
      const proof = consistencyProof(first, second, lookup);
      const roots = [rootAt(first, lookup), rootAt(second, lookup)] as const;
      assert.ok(verifyConsistency(first, second, proof, ...roots));
      const forked = leaves.map((leaf, index) => (index === seed % first ? Buffer.from("forked") : leaf));
      assert.ok(!verifyConsistency(first, second, proof, naiveRoot(forked.slice(0, first)), roots[1]));
      assert.ok(
        !verifyConsistency(
          first,
          second,
          consistencyProof(first, second, lookupOver(forked)),
          roots[0],
          naiveRoot(forked),
        ),
      );
    }),
    { numRuns: 150 },
  );
});

test("names the nodes a proof needs, all of them complete and few", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1_000_000 }), fc.nat(), (size, seed) => {
      const index = seed % size;
      const needed = nodesNeeded((lookup) => inclusionProof(index, size, lookup));
      assert.ok(needed.length <= 2 * Math.ceil(Math.log2(size + 1)) + 2);
      for (const { level, index: at } of needed) assert.ok((at + 1) * 2 ** level <= size);
    }),
  );
});

test("refuses proofs about leaves that are not there", () => {
  const lookup = lookupOver(manyLeaves(3));
  assert.throws(() => inclusionProof(3, 3, lookup), ProofRangeError);
  assert.throws(() => inclusionProof(-1, 3, lookup), ProofRangeError);
  assert.throws(() => consistencyProof(0, 3, lookup), ProofRangeError);
  assert.throws(() => consistencyProof(4, 3, lookup), ProofRangeError);
  assert.ok(!verifyInclusion(emptyRoot(), 0, 0, [], emptyRoot()));
  assert.ok(!verifyConsistency(0, 3, [], emptyRoot(), emptyRoot()));
});
