import { createPublicKey, type KeyObject } from "node:crypto";
import { readFile } from "node:fs/promises";
import { type KeyPair, KeyUnusableError, parseKeyPair } from "./keys.ts";

/**
 * An Ed25519 private key in PKCS #8 PEM, as an operator put it there: it is never made here, since replicas must share it.
 *
 * @throws {KeyUnusableError}
 */
export async function readKeyPairFile(path: string): Promise<KeyPair> {
  return parseKeyPair(path, await readText(path));
}

/** The public half in PEM (SPKI). @throws {KeyUnusableError} */
export async function readPublicKey(path: string): Promise<KeyObject> {
  const text = await readText(path);
  try {
    const key = createPublicKey(text);
    if (key.asymmetricKeyType === "ed25519" && text.includes("PUBLIC KEY")) return key;
  } catch (cause) {
    throw new KeyUnusableError(path, "the file is not a public key", "put the PEM of the public key there", cause);
  }
  throw new KeyUnusableError(path, "the key is not an Ed25519 public key", "give the public half of XCF_ATTEMPT_KEY");
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw new KeyUnusableError(path, "the key cannot be read", "check the file's path, owner and mode", cause);
  }
}
