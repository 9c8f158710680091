import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { PolicyBundle, PolicyFile } from "./policy-bundle.ts";
import { BundleInvalidError } from "./policy-errors.ts";

/** A bundle laid out for one OPA process, in a folder only this user may enter. */
export interface OpaFiles {
  /** Where OPA is started, so that messages name files as people do: `policies/tags.rego`. */
  readonly cwd: string;
  /** What OPA is to load, relative to `cwd`. */
  readonly load: readonly string[];
  /** The data alone. */
  readonly data: readonly string[];
  readonly folder: string;
  readonly socket: string;
  remove(): Promise<void>;
}

/** Longest path of a Unix socket everywhere, less its end. */
const MAX_SOCKET_PATH = 100;
const PREFIX = "xcf-opa-";
/** How messages of OPA begin when they speak of a data file; what follows is the path people know. */
export const TO_DATA = "../data/";

/**
 * @param folder where scratch folders are made; not long, because the socket's path must fit in 104 bytes.
 * @throws {BundleInvalidError} when it is too long for that.
 */
export async function writeOpaFiles(bundle: PolicyBundle, folder: string): Promise<OpaFiles> {
  const root = await mkdtemp(join(folder, `${PREFIX}${process.pid}-`));
  const remove = () => rm(root, { recursive: true, force: true });
  try {
    const socket = join(root, "opa.sock");
    if (Buffer.byteLength(socket) > MAX_SOCKET_PATH) {
      throw new BundleInvalidError(socket, "too long for a Unix socket", "use a shorter folder for temporary files");
    }
    const cwd = join(root, "rego");
    await mkdir(cwd);
    await writeTree(cwd, bundle.policies);
    await writeTree(join(root, "data", bundle.dataRoot), bundle.data);
    const data = bundle.data.length === 0 ? [] : [`${TO_DATA}${bundle.dataRoot}`];
    return { cwd, load: [".", ...data], data, folder: root, socket, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** Removes what processes left that were killed; a folder's name says whose it is. */
export async function sweepOpaFiles(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const owner = new RegExp(`^${PREFIX}(\\d+)-`).exec(name)?.[1];
    if (owner === undefined || isRunning(Number(owner))) continue;
    // Another user's folder is not ours to remove, and the next sweep finds what is busy now.
    await rm(join(folder, name), { recursive: true, force: true }).catch(() => undefined);
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return !(error instanceof Error && "code" in error && error.code === "ESRCH");
  }
}

async function writeTree(root: string, files: readonly PolicyFile[]): Promise<void> {
  const folders = new Set(files.map(({ path }) => dirname(join(root, path))));
  for (const folder of folders) await mkdir(folder, { recursive: true });
  await Promise.all(files.map(({ path, content }) => writeFile(join(root, path), content, { flag: "wx" })));
}
