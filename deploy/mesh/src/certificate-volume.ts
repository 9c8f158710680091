import { X509Certificate } from "node:crypto";
import { chmod, chown, mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createAgeKeyEncryption } from "@xcloudflow/chassis/keyring-age";
import { loadOrCreateKeyPair } from "@xcloudflow/chassis/keys";
import type { Logger } from "@xcloudflow/chassis/logger";
import { MESH_SERVICES } from "@xcloudflow/chassis/peer-identity";
import { readTlsFiles, TlsFilesUnusableError } from "@xcloudflow/chassis/tls-files";
import {
  type CertificateAuthority,
  createCertificateAuthority,
  type IssuedCertificate,
  openCertificateAuthority,
} from "./certificate-authority.ts";

export interface CertificateVolumeOptions {
  readonly folder: string;
  readonly members: readonly string[];
  /** Who alone may read what the members get; undefined: whoever runs this, where it may not give files away. */
  readonly owner: number | undefined;
  readonly now: Date;
  readonly logger: Logger;
}

/** The authority's own folder; no member gets to see it. */
const AUTHORITY = "authority";
const KEY_FOLDERS = { attempt: "attempt", attemptPublic: "attempt-public", state: "state-key", audit: "audit-key" };
const RENEW_MS = 30 * 86_400_000;

/** Names that a folder of keys has cannot be a member's too. */
export const RESERVED_NAMES: readonly string[] = [AUTHORITY, ...Object.values(KEY_FOLDERS)];

/**
 * Makes what a mesh of containers needs below one folder: for each member `tls.crt`, `tls.key` and `ca.crt`, and the
 * keys that services share, each in a folder of its own so that a container is given no more than its own. What is there
 * and good for another 30 days stays; keys always stay, since what they sealed or signed needs them.
 *
 * @throws {KeyUnusableError} {KeyFileInvalidError} when a key that is there is no key: it is not replaced.
 */
export async function prepareCertificateVolume(options: CertificateVolumeOptions): Promise<void> {
  const { folder, members, owner, now, logger } = options;
  await mkdir(folder, { recursive: true });
  const authority = await keepAuthority(join(folder, AUTHORITY), now, logger);
  for (const name of members) {
    const place = await ownFolder(join(folder, name));
    if (await isGood(place, name, authority, now)) continue;
    const { cert, key } = await authority.issue(name, identityOfMember(name), [name]);
    await put(join(place, "ca.crt"), authority.cert);
    await put(join(place, "tls.key"), key);
    await put(join(place, "tls.crt"), cert);
    logger.info("issued a certificate", { member: name });
  }
  const attempt = await loadOrCreateKeyPair(join(folder, KEY_FOLDERS.attempt), "attempt");
  await loadOrCreateKeyPair(join(folder, KEY_FOLDERS.audit), "audit");
  await createAgeKeyEncryption(join(folder, KEY_FOLDERS.state, "state.age"));
  const publicFolder = await ownFolder(join(folder, KEY_FOLDERS.attemptPublic));
  await put(
    join(publicFolder, "attempt.pub.pem"),
    attempt.publicKey.export({ type: "spki", format: "pem" }).toString(),
  );
  if (owner !== undefined) await giveAway(folder, members, owner);
}

/** The URI in a member's certificate, by its name: a service's, `runner-<engine>-<pool>`, or none. */
export function identityOfMember(name: string): string | undefined {
  if (MESH_SERVICES.some((service) => service === name)) return `spiffe://xcloudflow/service/${name}`;
  const [, pool] = /^runner-[a-z0-9]+-(.+)$/.exec(name) ?? [];
  return pool === undefined ? undefined : `spiffe://xcloudflow/runner/*/${pool}`;
}

async function keepAuthority(folder: string, now: Date, logger: Logger): Promise<CertificateAuthority> {
  await ownFolder(folder);
  const [certPath, keyPath] = [join(folder, "ca.crt"), join(folder, "ca.key")];
  const [cert, key] = await Promise.all([certPath, keyPath].map(readText));
  if (cert !== undefined && key !== undefined && lasts(cert, now))
    return openCertificateAuthority({ cert, key } satisfies IssuedCertificate, now);
  const made = await createCertificateAuthority(now);
  await put(keyPath, made.key);
  await put(certPath, made.cert);
  logger.info("made an authority", { folder });
  return made;
}

/** Its own, of this authority, for the names it should have, and for a while yet. Anything else is issued again. */
async function isGood(place: string, name: string, authority: CertificateAuthority, now: Date): Promise<boolean> {
  try {
    const files = { cert: join(place, "tls.crt"), key: join(place, "tls.key"), ca: join(place, "ca.crt") };
    const { cert, ca } = await readTlsFiles(files, now);
    const names = new X509Certificate(cert).subjectAltName?.split(", ") ?? [];
    const uri = identityOfMember(name);
    return (
      ca.toString() === authority.cert &&
      lasts(cert.toString(), now) &&
      names.includes(`DNS:${name}`) &&
      names.filter((entry) => entry.startsWith("URI:")).join() === (uri === undefined ? "" : `URI:${uri}`)
    );
  } catch (error) {
    if (error instanceof TlsFilesUnusableError) return false;
    throw error;
  }
}

function lasts(cert: string, now: Date): boolean {
  return new X509Certificate(cert).validToDate.getTime() - now.getTime() > RENEW_MS;
}

async function ownFolder(path: string): Promise<string> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  await chmod(path, 0o700);
  return path;
}

/** Whole or not at all: a container may be reading while a certificate is renewed. */
async function put(path: string, text: string): Promise<void> {
  const next = `${path}.next`;
  await writeFile(next, text, { mode: 0o600 });
  await rename(next, path);
}

/** The last step, so that whoever runs this can still write until then. */
async function giveAway(folder: string, members: readonly string[], owner: number): Promise<void> {
  const files: readonly (readonly [string, readonly string[]])[] = [
    ...members.map((name) => [name, ["tls.crt", "tls.key", "ca.crt"]] as const),
    [KEY_FOLDERS.attempt, ["attempt.pem"]],
    [KEY_FOLDERS.attemptPublic, ["attempt.pub.pem"]],
    [KEY_FOLDERS.state, ["state.age"]],
    [KEY_FOLDERS.audit, ["audit.pem"]],
  ];
  for (const [name, inside] of files)
    for (const path of [...inside.map((file) => join(folder, name, file)), join(folder, name)])
      await chown(path, owner, owner);
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}
