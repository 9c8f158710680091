import { createHash } from "node:crypto";
import { lstatSync, mkdirSync } from "node:fs";
import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { OwnerSocketUnsafeError } from "./owner-errors.ts";
import { type OwnerIdentity, ownerIdentitySchema } from "./owner-protocol.ts";

/** Room for a path in `sockaddr_un` on the systems with the least (macOS: 104 bytes with the final zero). */
const LONGEST_SOCKET_PATH = 103;

/**
 * Where the owner of `dir` listens: in the folder itself, or, where the path is too long for a socket, in a folder of the
 * user's own under the system's temporary one. `owner.json` says which, in case the two have different ideas of the latter.
 */
export function socketPath(dir: string): string {
  const inside = join(resolve(dir), "owner.sock");
  if (Buffer.byteLength(inside) <= LONGEST_SOCKET_PATH) return inside;
  const hash = createHash("sha256").update(resolve(dir)).digest("hex").slice(0, 24);
  return join(tmpdir(), `xcf-${process.getuid?.() ?? "user"}`, `${hash}.sock`);
}

/** @throws {OwnerSocketUnsafeError} when others could put a socket of theirs in our place. */
export function prepareSocketFolder(dir: string, socket: string): void {
  const folder = join(socket, "..");
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (folder === resolve(dir)) return;
  const { uid, mode } = lstatSync(folder);
  if (process.getuid !== undefined && uid !== process.getuid())
    throw new OwnerSocketUnsafeError(folder, "the folder for the socket is another user's");
  if ((mode & 0o077) !== 0) throw new OwnerSocketUnsafeError(folder, "the folder for the socket is open to others");
}

export async function writeIdentity(dir: string, identity: OwnerIdentity): Promise<void> {
  const path = identityPath(dir);
  await writeFile(`${path}.new`, `${JSON.stringify(identity)}\n`, { mode: 0o600 });
  await rename(`${path}.new`, path);
}

/** What the last owner said of itself; it may be dead. Undefined when there was none or the file is not to be trusted. */
export async function readIdentity(dir: string): Promise<OwnerIdentity | undefined> {
  let text: string;
  try {
    text = await readFile(identityPath(dir), "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
  const parsed = ownerIdentitySchema.safeParse(parseOrNothing(text));
  return parsed.success ? parsed.data : undefined;
}

export async function removeIdentity(dir: string): Promise<void> {
  await rm(identityPath(dir), { force: true });
}

/** Where a detached owner's standard error goes. */
export function logPath(dir: string): string {
  return join(dir, "owner.log");
}

function identityPath(dir: string): string {
  return join(dir, "owner.json");
}

function parseOrNothing(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
