import type { KeyPair } from "@xcloudflow/chassis/keys";
import { type Checkpoint, openCheckpoint } from "@xcloudflow/model/checkpoint";
import { equalHashes, type MerkleFrontier, rootOf } from "@xcloudflow/model/merkle";
import { type NoteVerifier, noteVerifier } from "@xcloudflow/model/signed-note";

/** Where a log stands. */
export interface LogPosition {
  readonly origin: string;
  readonly frontier: MerkleFrontier;
}

export function checkpointOf({ origin, frontier }: LogPosition): Checkpoint {
  return { origin, size: frontier.size, root: rootOf(frontier) };
}

/** The key of a log: the same Ed25519 key for all of them, under each log's own name. */
export function verifierFor({ publicKey }: KeyPair, origin: string): NoteVerifier {
  return noteVerifier(origin, publicKey);
}

/** What is wrong with a log's row when it is held against the checkpoint signed at its size; `undefined` when nothing is. */
export function contradiction(position: LogPosition, note: string | undefined, key: KeyPair): string | undefined {
  const { size } = position.frontier;
  if (note === undefined) return size === 0 ? undefined : `its last checkpoint, over ${size} entries, is gone`;
  const signed = openCheckpoint(note, verifierFor(key, position.origin));
  if (signed === undefined) return `the checkpoint over ${size} entries is not signed by this installation's key`;
  const expected = checkpointOf(position);
  if (signed.origin !== expected.origin) return `the checkpoint is of the log ${signed.origin}`;
  if (signed.size !== expected.size) return `the log says ${expected.size} entries, the checkpoint ${signed.size}`;
  return equalHashes(signed.root, expected.root)
    ? undefined
    : `its root over ${size} entries is not the one that was signed`;
}

const HASH_BYTES = 32;

export function encodeFrontier({ hashes }: MerkleFrontier): Uint8Array {
  return Buffer.concat(hashes);
}

export function decodeFrontier(size: number, bytes: Uint8Array): MerkleFrontier {
  const hashes = Array.from({ length: Math.floor(bytes.byteLength / HASH_BYTES) }, (_, place) =>
    bytes.slice(place * HASH_BYTES, (place + 1) * HASH_BYTES),
  );
  return { size, hashes };
}
