import { generateKeyPairSync, randomBytes } from "node:crypto";
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createAgeKeyEncryption } from "@xcloudflow/chassis/keyring-age";
import { z } from "zod";
import { createCertificateAuthority } from "./certificate-authority.ts";
import { DATABASE_SERVICES, type DatabaseService, identityOf, type MeshProcessPlan } from "./mesh-plan.ts";

/** Everything of one mesh on this machine that outlives its processes, below one folder that only its owner can read. */
export interface MeshFolder {
  readonly path: string;
  readonly secrets: MeshSecrets;
  readonly caFile: string;
  readonly attemptKey: string;
  readonly attemptPublicKey: string;
  readonly auditKey: string;
  /** For `xcf audit verify --key`. */
  readonly auditPublicKey: string;
  readonly ageKey: string;
  /** Paths of a process's certificate and key; `nats` for the server. */
  certificateOf(name: string): { readonly cert: string; readonly key: string };
  /** A folder below, made when it is not there. */
  folder(...names: string[]): Promise<string>;
}

const secretsSchema = z.strictObject({
  owner: z.string(),
  nats: z.string(),
  adminToken: z.string(),
  databases: z.record(z.enum(DATABASE_SERVICES), z.string()),
});
export type MeshSecrets = z.infer<typeof secretsSchema>;

const OWNER_ONLY = 0o600;

/** Makes what is missing: keys, passwords, an authority, and a certificate for each process. */
export async function prepareMeshFolder(
  path: string,
  processes: readonly MeshProcessPlan[],
  now: Date,
): Promise<MeshFolder> {
  // Passable, not readable: PostgreSQL refuses root, and its own user must get to its data.
  await mkdir(path, { recursive: true });
  await chmod(path, 0o711);
  await mkdir(join(path, "tls"), { recursive: true, mode: 0o700 });
  const file = (...names: string[]): string => join(path, ...names);
  const secrets = await keepSecrets(file("secrets.json"));
  await keepKeyPair(file("attempt.pem"), file("attempt.pub.pem"));
  await keepKeyPair(file("audit.pem"), file("audit.pub.pem"));
  await createAgeKeyEncryption(file("age.key"));
  await issueCertificates(file("tls"), processes, now);
  return {
    path,
    secrets,
    caFile: file("tls", "ca.pem"),
    attemptKey: file("attempt.pem"),
    attemptPublicKey: file("attempt.pub.pem"),
    auditKey: file("audit.pem"),
    auditPublicKey: file("audit.pub.pem"),
    ageKey: file("age.key"),
    certificateOf: (name) => ({ cert: file("tls", `${name}.pem`), key: file("tls", `${name}.key`) }),
    async folder(...names) {
      await mkdir(file(...names), { recursive: true, mode: 0o700 });
      return file(...names);
    },
  };
}

async function keepSecrets(path: string): Promise<MeshSecrets> {
  const known = await readFile(path, "utf8").catch(() => undefined);
  if (known !== undefined) return secretsSchema.parse(JSON.parse(known));
  const password = (): string => randomBytes(24).toString("base64url");
  const secrets: MeshSecrets = {
    owner: password(),
    nats: password(),
    adminToken: newAdminToken("default"),
    databases: passwords(password),
  };
  await writeFile(path, JSON.stringify(secrets), { mode: OWNER_ONLY });
  return secrets;
}

/** In the form in which `api` takes an administrator's token from its configuration. */
export function newAdminToken(tenant: string): string {
  return `xcf_${tenant}.bootstrap.${randomBytes(32).toString("base64url")}`;
}

function passwords(make: () => string): Record<DatabaseService, string> {
  return { api: make(), audit: make(), orchestrator: make(), policy: make(), secrets: make(), state: make() };
}

async function keepKeyPair(path: string, publicPath: string): Promise<void> {
  if ((await readFile(path).catch(() => undefined)) !== undefined) return;
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  await writeFile(publicPath, publicKey.export({ type: "spki", format: "pem" }), { mode: OWNER_ONLY });
  await writeFile(path, privateKey.export({ type: "pkcs8", format: "pem" }), { mode: OWNER_ONLY });
}

/** New ones at every start: the authority's key is never written down. */
async function issueCertificates(folder: string, processes: readonly MeshProcessPlan[], now: Date): Promise<void> {
  const authority = await createCertificateAuthority(now);
  await writeFile(join(folder, "ca.pem"), authority.cert);
  const members = processes.map((process) => ({ name: process.name, uri: identityOf(process) }));
  // For people's own tools, and for tests: it may speak as any service.
  const tools = { name: "operator", uri: "spiffe://xcloudflow/service/api" };
  for (const { name, uri } of [...members, tools, { name: "nats", uri: undefined }]) {
    const { cert, key } = await authority.issue(name, uri);
    await writeFile(join(folder, `${name}.pem`), cert);
    await writeFile(join(folder, `${name}.key`), key, { mode: OWNER_ONLY });
  }
}
