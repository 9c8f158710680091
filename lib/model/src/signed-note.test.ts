import assert from "node:assert/strict";
import { createPrivateKey, generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { checkpointText, openCheckpoint, parseCheckpoint, signCheckpoint } from "./checkpoint.ts";
import { hashLeaf } from "./merkle.ts";
import {
  formatNote,
  isSignedBy,
  NoteMalformedError,
  noteVerifier,
  parseNote,
  parseVerifier,
  signNote,
} from "./signed-note.ts";

/** The example of golang.org/x/mod/sumdb/note, from which the specification was drawn. */
const PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const NOTE =
  "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n" +
  "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

test("verifies the note that the specification's reference implementation signed", () => {
  const verifier = parseVerifier(PETER);
  assert.equal(verifier.text, PETER);
  assert.ok(isSignedBy(parseNote(NOTE), verifier));
  assert.equal(formatNote(parseNote(NOTE)), NOTE);
  assert.ok(!isSignedBy(parseNote(NOTE.replace("answer", "Answer")), verifier));
});

const { privateKey, publicKey } = generateKeyPairSync("ed25519");
const verifier = noteVerifier("log.example/default", publicKey);

test("signs what it verifies, and a changed byte is seen", () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[\x20-\x7e]{1,80}$/), fc.nat(), (line, seed) => {
      const note = signNote(`${line}\n`, verifier.name, privateKey);
      assert.ok(isSignedBy(parseNote(note), verifier));
      const at = seed % line.length;
      const changed = `${note.slice(0, at)}${note[at] === "x" ? "y" : "x"}${note.slice(at + 1)}`;
      assert.ok(!isSignedBy(parseNote(changed), verifier));
    }),
  );
});

test("reads a checkpoint back, and only under its own key and name", () => {
  const checkpoint = { origin: verifier.name, size: 42, root: hashLeaf(Buffer.from("x")) };
  const note = signCheckpoint(checkpoint, privateKey);
  assert.deepEqual(openCheckpoint(note, verifier), checkpoint);
  assert.equal(parseNote(note).text, checkpointText(checkpoint));
  const other = generateKeyPairSync("ed25519").publicKey;
  assert.equal(openCheckpoint(note, noteVerifier(verifier.name, other)), undefined);
  assert.equal(openCheckpoint(note, noteVerifier("log.example/other", publicKey)), undefined);
});

test("ignores signatures of witnesses it does not know", () => {
  const witness = createPrivateKey(generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" }));
  const checkpoint = { origin: verifier.name, size: 1, root: hashLeaf(Buffer.from("x")) };
  const mine = parseNote(signCheckpoint(checkpoint, privateKey));
  const theirs = parseNote(signNote(mine.text, "witness.example", witness));
  const both = formatNote({ text: mine.text, signatures: [...theirs.signatures, ...mine.signatures] });
  assert.deepEqual(openCheckpoint(both, verifier), checkpoint);
});

test("refuses what is malformed, without crashing on anything", () => {
  for (const text of [
    "",
    "x",
    "\n\n",
    "a\n",
    "a\n\n",
    "a\n\n— b\n",
    "a\n\n— b !!\n",
    "a\n\n- b AAAAAAAA\n",
    `a\u0001\n\n— b AAAAAAAA\n`,
  ]) {
    assert.throws(() => parseNote(text), NoteMalformedError, JSON.stringify(text));
  }
  const sign = (text: string): string => signNote(text, verifier.name, privateKey);
  const root = Buffer.alloc(32).toString("base64");
  for (const text of [
    "o\n",
    "o\n1\n",
    `o\n-1\n${root}\n`,
    `o\n01\n${root}\n`,
    `o\n1e3\n${root}\n`,
    "o\n1\nAAAA\n",
    `\n1\n${root}\n`,
  ]) {
    assert.throws(() => parseCheckpoint(sign(text)), NoteMalformedError, JSON.stringify(text));
  }
  for (const key of [
    "",
    "a+b+c",
    PETER.replace("c74f20a3", "c74f20a4"),
    PETER.replace("ARpc", "AApc"),
    `${PETER}AAAA`,
  ]) {
    assert.throws(() => parseVerifier(key), NoteMalformedError, key);
  }
  assert.throws(() => noteVerifier("two words", publicKey), NoteMalformedError);
  fc.assert(
    fc.property(fc.string(), (text) => {
      try {
        parseCheckpoint(text);
      } catch (error) {
        assert.ok(error instanceof NoteMalformedError);
      }
    }),
  );
});
