import type { KeyObject } from "node:crypto";
import type { MerkleHash } from "./merkle.ts";
import { isSignedBy, NoteMalformedError, type NoteVerifier, parseNote, signNote } from "./signed-note.ts";

/** C2SP tlog-checkpoint (https://c2sp.org/tlog-checkpoint): which log, how many leaves, which root. */
export interface Checkpoint {
  /** Names the log; also the signing key's name. */
  readonly origin: string;
  readonly size: number;
  readonly root: MerkleHash;
}

const HASH_BYTES = 32;

/** Origin, size in decimal and root in base64, a line each. */
export function checkpointText({ origin, size, root }: Checkpoint): string {
  return `${origin}\n${size}\n${Buffer.from(root).toString("base64")}\n`;
}

export function signCheckpoint(checkpoint: Checkpoint, privateKey: KeyObject): string {
  return signNote(checkpointText(checkpoint), checkpoint.origin, privateKey);
}

/** Reads without checking a signature. @throws {NoteMalformedError} */
export function parseCheckpoint(note: string): Checkpoint {
  const [origin, size, root] = parseNote(note).text.split("\n");
  if (origin === undefined || origin === "" || size === undefined || root === undefined)
    throw new NoteMalformedError("the checkpoint names no log, size and root");
  if (!/^(0|[1-9][0-9]{0,15})$/.test(size)) throw new NoteMalformedError("the checkpoint's size is not a number");
  const hash = Buffer.from(root, "base64");
  if (hash.byteLength !== HASH_BYTES || hash.toString("base64") !== root)
    throw new NoteMalformedError("the checkpoint's root is not a SHA-256 hash");
  return { origin, size: Number(size), root: hash };
}

/** The checkpoint when this key signed it, `undefined` when it did not. @throws {NoteMalformedError} */
export function openCheckpoint(note: string, verifier: NoteVerifier): Checkpoint | undefined {
  return isSignedBy(parseNote(note), verifier) ? parseCheckpoint(note) : undefined;
}
