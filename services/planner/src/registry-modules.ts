import { createHash } from "node:crypto";
import { lookup } from "node:dns/promises";
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { SecretText } from "@xcloudflow/model/secret-text";
import { ModuleArchiveInvalidError } from "@xcloudflow/model/tar-archive";
import { z } from "zod";
import { createLruCache } from "./lru-cache.ts";
import { type ModuleSnapshot, snapshotArchive } from "./module-snapshot.ts";
import { isPublicAddress } from "./public-address.ts";
import { locateModule, type RegistryModule } from "./registry-client.ts";
import { plainUrl, RegistryModuleUnavailableError } from "./registry-errors.ts";
import { askRegistry, privateAddressError, type RegistryHttpSettings } from "./registry-http.ts";
import type { RegistryLocation } from "./registry-location.ts";
import type { RemoteModule, RemoteModules } from "./remote-modules.ts";
import type { Snapshot } from "./snapshot.ts";

/** Which hosts a repository takes modules from. */
export interface RegistryHosts {
  readonly default: string;
  readonly hosts: readonly string[];
}

export const PUBLIC_REGISTRY = "registry.terraform.io";

export interface RegistryModules {
  /** @throws {RegistryModuleUnavailableError} {RemoteModuleUnavailableError} */
  fetch(
    wanted: Omit<RegistryModule, "host"> & { readonly host: string | undefined },
    hosts: RegistryHosts,
  ): Promise<RemoteModule>;
}

export interface RegistrySettings extends Omit<RegistryHttpSettings, "timeoutMilliseconds"> {
  /** The operator's token for a host: no file of a repository says what is sent where. */
  readonly readToken: (host: string) => SecretText | undefined;
}

const TIMEOUT_MILLISECONDS = 60_000;
const MAX_ARCHIVE_BYTES = 64 * 1024 * 1024;
const KEPT_BYTES = 256 * 1024 * 1024;

const pinSchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("git"), url: z.string(), ref: z.string(), directory: z.string() }),
  z.strictObject({ kind: z.literal("archive"), sha256: z.string().regex(/^[0-9a-f]{64}$/), directory: z.string() }),
]);
type Pin = z.infer<typeof pinSchema>;

/**
 * Modules of registries, each version fetched once: what it was the first time is written down beside its content's hash,
 * and a version that is published again with other contents is not looked at.
 */
export function createRegistryModules(
  cacheDirectory: string,
  git: RemoteModules,
  { readToken, authorities }: RegistrySettings,
): RegistryModules {
  const folder = join(cacheDirectory, "registry");
  const running = new Map<string, Promise<RemoteModule>>();
  const unpacked = createLruCache<string, ModuleSnapshot>(KEPT_BYTES, ({ bytes }) => bytes + 1);
  const http = { timeoutMilliseconds: TIMEOUT_MILLISECONDS, ...(authorities === undefined ? {} : { authorities }) };

  const open = async (pin: Pin, module: RegistryModule, prefix: string): Promise<RemoteModule> => {
    if (pin.kind === "git") {
      const { snapshot } = await git.fetch(pin.url, pin.ref);
      return { snapshot, prefix, folder: folderIn(snapshot, pin.directory, module) };
    }
    const known = unpacked.get(pin.sha256);
    const opened = known ?? (await snapshotArchive(await readFile(join(folder, `${pin.sha256}.tar.gz`)), pin.sha256));
    unpacked.set(pin.sha256, opened);
    return { snapshot: opened.snapshot, prefix, folder: folderIn(opened.snapshot, pin.directory, module) };
  };

  const load = async (module: RegistryModule, trusted: ReadonlySet<string>): Promise<RemoteModule> => {
    const { host, namespace, name, system, version } = module;
    const source = `${host}/${namespace}/${name}/${system}`;
    const prefix = `.xcf-modules/${sha256(source).slice(0, 16)}`;
    const pinFile = join(folder, `${sha256(`${source}@${version}`)}.json`);
    const written = await readPin(pinFile);
    // A cache that was deleted by half is fetched again.
    if (written !== undefined) {
      const cached = await open(written, module, prefix).catch(() => undefined);
      if (cached !== undefined) return cached;
    }
    const token = readToken(host);
    const location = await locateModule(module, { ...http, token, trusted });
    const found = location.kind === "git" ? await pinGit(location, trusted) : await download(location, module, trusted);
    const opened = await open(found, module, prefix);
    await writeWhole(folder, pinFile, JSON.stringify(found));
    return opened;
  };

  const pinGit = async (location: RegistryLocation & { kind: "git" }, trusted: ReadonlySet<string>): Promise<Pin> => {
    await checkGitHost(location.url, trusted);
    const { snapshot } = await git.fetch(location.url, location.ref);
    return { ...location, ref: snapshot.commit };
  };

  const download = async (
    location: RegistryLocation & { kind: "archive" },
    { host }: RegistryModule,
    trusted: ReadonlySet<string>,
  ): Promise<Pin> => {
    const url = new URL(location.url);
    const token = url.host === host ? readToken(host) : undefined;
    const { status, body } = await askRegistry({ url, token, trusted, maxBytes: MAX_ARCHIVE_BYTES }, http);
    if (status !== 200)
      throw new RegistryModuleUnavailableError("REGISTRY_UNAVAILABLE", {
        where: plainUrl(url),
        what: `the module's archive is not given: ${status}`,
        hint: "try again later, or ask whoever runs the registry",
      });
    const [algorithm, expected] = location.checksum?.split(":") ?? [];
    if (algorithm !== undefined && createHash(algorithm).update(body).digest("hex") !== expected)
      throw invalidArchive(plainUrl(url), "it is not what the registry vouches for: the checksum is another");
    const sum = createHash("sha256").update(body).digest("hex");
    try {
      unpacked.set(sum, await snapshotArchive(body, sum));
    } catch (cause) {
      if (!(cause instanceof ModuleArchiveInvalidError)) throw cause;
      throw invalidArchive(plainUrl(url), cause.what, cause);
    }
    await writeWhole(folder, join(folder, `${sum}.tar.gz`), body);
    return { kind: "archive", sha256: sum, directory: location.directory };
  };

  return {
    async fetch(wanted, allowed) {
      const module = { ...wanted, host: wanted.host ?? allowed.default };
      const trusted = new Set(allowed.hosts);
      if (module.host !== allowed.default && !trusted.has(module.host))
        throw new RegistryModuleUnavailableError("REGISTRY_HOST_NOT_ALLOWED", {
          where: module.host,
          what: "modules are not taken from this registry",
          hint: "add it to spec.registries.hosts of .xcf.yaml; what is in force is the governing commit's",
        });
      const key = JSON.stringify([module, [...trusted].sort()]);
      const loading = running.get(key) ?? load(module, trusted).finally(() => running.delete(key));
      running.set(key, loading);
      return loading;
    },
  };
}

async function readPin(file: string): Promise<Pin | undefined> {
  try {
    return pinSchema.parse(JSON.parse(await readFile(file, "utf8")));
  } catch {
    return undefined;
  }
}

/** Under its name a file is there as a whole or not at all. */
async function writeWhole(folder: string, path: string, content: string | Buffer): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const part = await mkdtemp(join(folder, "part-"));
  await writeFile(join(part, "file"), content, { mode: 0o600 });
  await rename(join(part, "file"), path);
  await rm(part, { recursive: true });
}

/** The module's folder as the registry names it; `*` is the only folder there is. */
function folderIn(snapshot: Snapshot, directory: string, { namespace, name, system }: RegistryModule): string {
  const [first, ...rest] = directory === "." ? [] : directory.split("/");
  const only = [...snapshot.root.entries].filter(([, { kind }]) => kind === "tree").map(([entry]) => entry);
  const head = first === "*" ? (only.length === 1 ? only[0] : undefined) : first;
  const folder = directory === "." ? "" : [head ?? "*", ...rest].join("/");
  if (snapshot.folder(folder) !== undefined && snapshot.folder(folder)?.tree.count !== 0) return folder;
  throw invalidArchive(`${namespace}/${name}/${system}`, `it has no folder ${directory} with files in it`);
}

async function checkGitHost(url: string, trusted: ReadonlySet<string>): Promise<void> {
  const host = URL.canParse(url) ? new URL(url).host : /@([^:]+):/.exec(url)?.[1];
  // Without a host it is a folder of this machine, which the transports that the operator allows speak of.
  if (host === undefined || host === "" || trusted.has(host)) return;
  const name = URL.canParse(url) ? new URL(url).hostname.replace(/^\[(.*)\]$/, "$1") : host;
  const addresses = await lookup(name, { all: true }).catch(() => []);
  if (addresses.some(({ address }) => !isPublicAddress(address))) throw privateAddressError(host);
}

function invalidArchive(where: string, what: string, cause?: unknown): RegistryModuleUnavailableError {
  const hint = "ask whoever publishes the module, or use git::<url>//<folder>?ref=<commit>";
  return new RegistryModuleUnavailableError("REGISTRY_ARCHIVE_INVALID", { where, what, hint, cause });
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
