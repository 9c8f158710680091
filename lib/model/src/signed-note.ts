import { createHash, createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { CodedError } from "./coded-error.ts";

/**
 * C2SP signed-note (https://c2sp.org/signed-note): a text that ends in a line feed, an empty line, and one line per
 * signature: `— <key name> <base64 of 4 bytes of key id and the signature>`. Only Ed25519 (type 0x01) is read and written.
 */
export interface SignedNote {
  /** With its last line feed; exactly what is signed. */
  readonly text: string;
  readonly signatures: readonly NoteSignature[];
}

export interface NoteSignature {
  readonly name: string;
  readonly keyId: number;
  readonly signature: Uint8Array;
}

/** A key that verifies notes, written `<name>+<key id in hex>+<base64 of 0x01 and the public key>`. */
export interface NoteVerifier {
  readonly name: string;
  readonly keyId: number;
  readonly publicKey: KeyObject;
  /** The written form. */
  readonly text: string;
}

/** Thrown when a note, a checkpoint or a verifier key is not written as its specification says. */
export class NoteMalformedError extends CodedError {
  constructor(what: string) {
    super("NOTE_MALFORMED", "invalid", { what, hint: "give the file as it was exported" });
  }
}

const ED25519 = 1;
const ED25519_KEY_BYTES = 32;
const ED25519_SIGNATURE_BYTES = 64;
const NAME = /^[^\s+]+$/u;

/** Signs `text` with an Ed25519 private key under the name its verifier key has. */
export function signNote(text: string, name: string, privateKey: KeyObject): string {
  checkText(text);
  const { keyId } = noteVerifier(name, createPublicKey(privateKey));
  return formatNote({ text, signatures: [{ name, keyId, signature: sign(null, Buffer.from(text), privateKey) }] });
}

export function formatNote({ text, signatures }: SignedNote): string {
  const lines = signatures.map(({ name, keyId, signature }) => `— ${name} ${encodeKeyed(keyId, signature)}\n`);
  return `${text}\n${lines.join("")}`;
}

/** @throws {NoteMalformedError} when the note has no text or a signature line is malformed. */
export function parseNote(note: string): SignedNote {
  const end = note.lastIndexOf("\n\n");
  if (end < 0 || !note.endsWith("\n")) throw new NoteMalformedError("the note has no signatures");
  const text = note.slice(0, end + 1);
  checkText(text);
  const lines = note.slice(end + 2, -1).split("\n");
  return { text, signatures: lines.map(parseSignature) };
}

/** Whether one of the note's signatures is by this key and true of its text. Signatures of unknown keys are ignored. */
export function isSignedBy({ text, signatures }: SignedNote, { name, keyId, publicKey }: NoteVerifier): boolean {
  return signatures.some(
    (candidate) =>
      candidate.name === name &&
      candidate.keyId === keyId &&
      candidate.signature.byteLength === ED25519_SIGNATURE_BYTES &&
      verify(null, Buffer.from(text), publicKey, candidate.signature),
  );
}

/** @throws {NoteMalformedError} when the name is empty or holds white space or `+`, or the key is not Ed25519. */
export function noteVerifier(name: string, publicKey: KeyObject): NoteVerifier {
  if (!NAME.test(name)) throw new NoteMalformedError(`"${name.slice(0, 100)}" cannot name a key`);
  const { x, crv } = publicKey.export({ format: "jwk" });
  if (crv !== "Ed25519" || x === undefined) throw new NoteMalformedError("only Ed25519 keys sign notes");
  const encoded = Buffer.concat([Uint8Array.of(ED25519), Buffer.from(x, "base64url")]);
  const keyId = keyIdOf(name, encoded);
  return { name, keyId, publicKey, text: `${name}+${hexOf(keyId)}+${encoded.toString("base64")}` };
}

/** @throws {NoteMalformedError} when it is no verifier key, or its key id is not the key's. */
export function parseVerifier(text: string): NoteVerifier {
  const [, name, id, data] = /^([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+=*)$/u.exec(text.trim()) ?? [];
  if (name === undefined || id === undefined || data === undefined)
    throw new NoteMalformedError("this is not a verifier key");
  const encoded = Buffer.from(data, "base64");
  if (encoded[0] !== ED25519 || encoded.byteLength !== ED25519_KEY_BYTES + 1)
    throw new NoteMalformedError("the verifier key is not an Ed25519 key");
  const x = encoded.subarray(1).toString("base64url");
  const verifier = noteVerifier(name, createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" }));
  if (hexOf(verifier.keyId) !== id) throw new NoteMalformedError("the verifier key's id is not that of its key");
  return verifier;
}

function parseSignature(line: string): NoteSignature {
  const [, name, data] = /^— ([^\s+]+) ([A-Za-z0-9+/]+=*)$/u.exec(line) ?? [];
  const bytes = Buffer.from(data ?? "", "base64");
  if (name === undefined || bytes.byteLength < 5)
    throw new NoteMalformedError("a signature line of the note is malformed");
  return { name, keyId: bytes.readUInt32BE(0), signature: bytes.subarray(4) };
}

function checkText(text: string): void {
  if (!text.endsWith("\n") || text.length < 2) throw new NoteMalformedError("a note's text ends with a line feed");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the specification forbids exactly these.
  if (/[\u0000-\u0009\u000b-\u001f]/u.test(text)) throw new NoteMalformedError("a note holds no control characters");
}

/** SHA-256 over the name, a line feed, and the type with the key; the first four bytes. */
function keyIdOf(name: string, encoded: Uint8Array): number {
  return createHash("sha256").update(`${name}\n`).update(encoded).digest().readUInt32BE(0);
}

function encodeKeyed(keyId: number, bytes: Uint8Array): string {
  const id = Buffer.alloc(4);
  id.writeUInt32BE(keyId);
  return Buffer.concat([id, bytes]).toString("base64");
}

function hexOf(keyId: number): string {
  return keyId.toString(16).padStart(8, "0");
}
