import { chmod, link, mkdir, open, readFile, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { Decrypter, Encrypter, generateX25519Identity, identityToRecipient } from "age-encryption";
import type { KeyEncryption } from "./keyring.ts";
import { DataKeyUnwrapError, KeyFileInvalidError } from "./keyring-errors.ts";

const OWNER_ONLY = 0o600;
const IDENTITY_LINE = /^AGE-SECRET-KEY-1[0-9A-Z]+$/m;

/**
 * Wraps data keys for an age key (https://age-encryption.org/v1, X25519) kept in a file of the user's, outside `.xcf/`:
 * who copies `.xcf/` alone has nothing. The file is what `age-keygen` writes; it is made with mode 0600 when it is not
 * there.
 *
 * @throws {KeyFileInvalidError} when the file cannot be read or made, holds no key, or others may read it.
 */
export async function createAgeKeyEncryption(path: string): Promise<KeyEncryption> {
  const identity = await readIdentity(path);
  const recipient = await identityToRecipient(identity);
  const encrypter = new Encrypter();
  encrypter.addRecipient(recipient);
  const decrypter = new Decrypter();
  decrypter.addIdentity(identity);
  return {
    id: `age:${recipient}`,
    wrap: (key) => encrypter.encrypt(key),
    async unwrap(wrapped) {
      try {
        return await decrypter.decrypt(wrapped);
      } catch (cause) {
        throw new DataKeyUnwrapError(path, "the age key in this file does not open the data key", cause);
      }
    },
  };
}

async function readIdentity(path: string): Promise<string> {
  const text = (await readKeyFile(path)) ?? (await makeKeyFile(path));
  const [identity] = IDENTITY_LINE.exec(text) ?? [];
  if (identity === undefined)
    throw new KeyFileInvalidError(path, "the file holds no age key", "put back the file with its AGE-SECRET-KEY line");
  return identity;
}

async function readKeyFile(path: string): Promise<string | undefined> {
  try {
    const { mode } = await stat(path);
    if ((mode & 0o077) !== 0)
      throw new KeyFileInvalidError(path, "others than its owner may read the key file", `chmod 600 ${path}`);
    return await readFile(path, "utf8");
  } catch (cause) {
    if (cause instanceof KeyFileInvalidError) throw cause;
    if (isErrno(cause, "ENOENT")) return undefined;
    throw new KeyFileInvalidError(
      path,
      "the key file cannot be read",
      "make it readable for the user that runs XCloudFlow",
      cause,
    );
  }
}

/** Two processes may start at once: the file appears whole (linked into place), and the second one reads the first's. */
async function makeKeyFile(path: string): Promise<string> {
  const identity = await generateX25519Identity();
  const text = `# public key: ${await identityToRecipient(identity)}\n${identity}\n`;
  const draft = `${path}.${process.pid}.${Math.trunc(performance.now() * 1000)}`;
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const file = await open(draft, "wx", OWNER_ONLY);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await chmod(draft, OWNER_ONLY);
    await link(draft, path);
    return text;
  } catch (cause) {
    if (isErrno(cause, "EEXIST")) return (await readKeyFile(path)) ?? text;
    throw new KeyFileInvalidError(
      path,
      "the key file cannot be made",
      "make its folder writable for the user that runs XCloudFlow",
      cause,
    );
  } finally {
    await rm(draft, { force: true });
  }
}

function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
