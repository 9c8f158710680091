import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { link, mkdir, open, readFile, stat, unlink } from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import { CodedError } from "@xcloudflow/model/coded-error";

/** Thrown when a key file cannot be read, is no Ed25519 key, or other users of the machine can read it. */
export class KeyUnusableError extends CodedError {
  constructor(path: string, what: string, hint: string, cause?: unknown) {
    super("KEY_UNUSABLE", "invalid", { where: path, what, hint, cause });
  }
}

export interface KeyPair {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

/**
 * `$XDG_CONFIG_HOME/xcloudflow`, else `~/.config/xcloudflow`: outside every repository and `.xcf/`, so that whoever can
 * write the database still cannot sign (XDG Base Directory specification: a relative value is ignored).
 */
export function userConfigFolder(environment: Readonly<Record<string, string | undefined>>, home: string): string {
  const base = environment["XDG_CONFIG_HOME"];
  return join(base !== undefined && isAbsolute(base) ? base : join(home, ".config"), "xcloudflow");
}

/**
 * The Ed25519 key pair kept as PKCS #8 PEM at `<folder>/<name>.pem`, mode 0600; made on first use. Of several processes
 * that start at once, one makes it and the others read it.
 *
 * @throws {KeyUnusableError} when the file is not such a key or is readable by others.
 */
export async function loadOrCreateKeyPair(folder: string, name: string): Promise<KeyPair> {
  const path = join(folder, `${name}.pem`);
  return (await readKeyPair(path)) ?? (await createKeyPair(folder, path));
}

async function readKeyPair(path: string): Promise<KeyPair | undefined> {
  let text: string;
  try {
    const { mode } = await stat(path);
    if ((mode & 0o077) !== 0) throw new KeyUnusableError(path, "others can read this key", `run: chmod 600 ${path}`);
    text = await readFile(path, "utf8");
  } catch (cause) {
    if (cause instanceof CodedError) throw cause;
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return undefined;
    throw new KeyUnusableError(path, "the key cannot be read", "check the file's owner and mode", cause);
  }
  return parseKeyPair(path, text);
}

export function parseKeyPair(path: string, text: string): KeyPair {
  try {
    const privateKey = createPrivateKey(text);
    if (privateKey.asymmetricKeyType === "ed25519") return { privateKey, publicKey: createPublicKey(privateKey) };
  } catch (cause) {
    throw new KeyUnusableError(path, "the file is not a private key", "restore it from a backup", cause);
  }
  throw new KeyUnusableError(path, "the key is not an Ed25519 key", "restore it from a backup");
}

/** Written beside and linked into place, which fails when somebody was faster, so that a half-written key is never read. */
async function createKeyPair(folder: string, path: string): Promise<KeyPair> {
  const { privateKey } = generateKeyPairSync("ed25519");
  const beside = `${path}.${process.pid}.${performance.now()}`;
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const file = await open(beside, "wx", 0o600);
    try {
      await file.writeFile(privateKey.export({ type: "pkcs8", format: "pem" }));
      await file.sync();
    } finally {
      await file.close();
    }
    await link(beside, path).catch(ignoreExisting);
    await unlink(beside);
  } catch (cause) {
    throw new KeyUnusableError(path, "the key cannot be made", "make its folder writable", cause);
  }
  const kept = await readKeyPair(path);
  if (kept === undefined) throw new KeyUnusableError(path, "the key vanished while it was made", "try again");
  return kept;
}

function ignoreExisting(error: unknown): void {
  if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
}
