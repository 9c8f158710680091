import { createHash } from "node:crypto";
import {
  type Closure,
  type ClosureFile,
  type ClosureProblem,
  type ClosureRequest,
  collectClosure,
  type SourceCache,
  warmSources,
} from "./closure.ts";
import { createLruCache, type LruCache } from "./lru-cache.ts";
import type { SnapshotFile } from "./snapshot.ts";
import { packTar } from "./tar.ts";
import type { Tree } from "./tree.ts";

/** A module ready to travel: the fields of a unit's `module`. */
export interface PackedModule extends PackedDigest {
  readonly request: ClosureRequest;
}

/** Turns module folders into content-addressed archives; what has been packed before is not read again. */
export interface ModulePacker {
  /** In the order of the requests; problems in place of a module that cannot be packed. */
  pack(requests: readonly ClosureRequest[]): Promise<(PackedModule | readonly ClosureProblem[])[]>;
  /** The archive's bytes again, for upload. */
  archiveOf(module: PackedModule): Promise<Buffer>;
}

interface PackedDigest {
  readonly archive: string;
  readonly path: string;
  readonly contentHash: string;
  /** Paths of the repository that it is made of. */
  readonly paths: readonly string[];
}

/** Archives larger than this are refused: a runner unpacks them for every attempt. */
const MAX_ARCHIVE_BYTES = 256 * 1024 * 1024;

/** Files read at once while packing, which bounds the memory it takes. */
const BATCH_FILES = 4_000;

export function createModulePacker(): ModulePacker {
  const sources: SourceCache = createLruCache(100_000);
  const packed = createLruCache<string, PackedDigest>(100_000);
  /** Modules that their own folder decides, by that folder: it is the same object in every commit that has it unchanged. */
  const selfContained = new WeakMap<Tree, { readonly key: string; readonly digest: PackedDigest }>();

  const packUnknown = async (
    requests: readonly ClosureRequest[],
  ): Promise<(PackedModule | readonly ClosureProblem[])[]> => {
    await warmSources(requests, sources);
    const closures: (Closure | ClosureProblem[])[] = [];
    for (const request of requests) closures.push(await collectClosure(request, sources));
    const missing = new Map<string, Closure>();
    for (const closure of closures) {
      if (!Array.isArray(closure) && packed.get(closure.key) === undefined) missing.set(closure.key, closure);
    }
    const fresh = await packMissing([...missing.values()], packed);
    return requests.map((request, index) => {
      const closure = closures[index] ?? [];
      if (Array.isArray(closure)) return closure;
      const digest = fresh.get(closure.key) ?? packed.get(closure.key);
      if (digest === undefined) return [];
      if (!("archive" in digest)) return [digest];
      const tree = closure.selfContained ? request.snapshot.folder(request.folder)?.tree : undefined;
      if (tree !== undefined) selfContained.set(tree, { key: requestKey(request), digest });
      return { ...digest, request };
    });
  };

  return {
    async pack(requests) {
      const results: (PackedModule | readonly ClosureProblem[])[] = [];
      const unknown: { readonly index: number; readonly request: ClosureRequest }[] = [];
      for (const [index, request] of requests.entries()) {
        const tree = request.files.paths.length === 0 ? request.snapshot.folder(request.folder)?.tree : undefined;
        const known = tree && selfContained.get(tree);
        if (known?.key === requestKey(request)) results[index] = { ...known.digest, request };
        else unknown.push({ index, request });
      }
      const found = await packUnknown(unknown.map(({ request }) => request));
      for (const [position, { index }] of unknown.entries()) results[index] = found[position] ?? [];
      return results;
    },
    async archiveOf({ request }) {
      const closure = await collectClosure(request, sources);
      const files = Array.isArray(closure) ? [] : await closure.listFiles();
      return packFiles(files, await readFiles(files));
    },
  };
}

function requestKey({ prefix, folder, terraform }: ClosureRequest): string {
  return `${terraform} ${prefix} ${folder}`;
}

async function packMissing(
  closures: readonly Closure[],
  packed: LruCache<string, PackedDigest>,
): Promise<Map<string, PackedDigest | ClosureProblem>> {
  const done = new Map<string, PackedDigest | ClosureProblem>();
  let batch: { closure: Closure; files: ClosureFile[] }[] = [];
  let count = 0;
  const flush = async (): Promise<void> => {
    const contents = await readFiles(batch.flatMap(({ files }) => files));
    for (const { closure, files } of batch) {
      const digest = digestFiles(closure, files, contents);
      if ("archive" in digest) packed.set(closure.key, digest);
      done.set(closure.key, digest);
    }
    batch = [];
    count = 0;
  };
  for (const closure of closures) {
    const files = await closure.listFiles();
    batch.push({ closure, files });
    count += files.length;
    if (count >= BATCH_FILES) await flush();
  }
  if (batch.length > 0) await flush();
  return done;
}

/** Contents by object id; one read a snapshot. */
async function readFiles(files: readonly ClosureFile[]): Promise<ReadonlyMap<string, Buffer>> {
  const bySnapshot = new Map<ClosureFile["snapshot"], SnapshotFile[]>();
  for (const { snapshot, file } of files) {
    const known = bySnapshot.get(snapshot);
    if (known === undefined) bySnapshot.set(snapshot, [file]);
    else known.push(file);
  }
  const contents = new Map<string, Buffer>();
  for (const [snapshot, wanted] of bySnapshot)
    for (const [oid, content] of await snapshot.read(wanted)) contents.set(oid, content);
  return contents;
}

function digestFiles(
  closure: Closure,
  files: readonly ClosureFile[],
  contents: ReadonlyMap<string, Buffer>,
): PackedDigest | ClosureProblem {
  const size = files.reduce((sum, { file }) => sum + (contents.get(file.oid)?.length ?? 0), 0);
  if (size > MAX_ARCHIVE_BYTES) {
    const message = `the module and what it includes have ${Math.ceil(size / 1024 / 1024)} MiB, ${MAX_ARCHIVE_BYTES / 1024 / 1024} are allowed`;
    return {
      file: closure.path,
      line: 0,
      col: 0,
      code: "MODULE_TOO_LARGE",
      message,
      hint: "take large files out of the module's folder",
    };
  }
  const hash = createHash("sha256").update(`${closure.path}\n`);
  for (const { path, executable, file } of files) {
    const content = createHash("sha256")
      .update(contents.get(file.oid) ?? "")
      .digest("hex");
    hash.update(`${path}\0${executable ? "755" : "644"}\0${content}\n`);
  }
  return {
    archive: `sha256:${createHash("sha256").update(packFiles(files, contents)).digest("hex")}`,
    path: closure.path,
    contentHash: `sha256:${hash.digest("hex")}`,
    paths: closure.paths,
  };
}

function packFiles(files: readonly ClosureFile[], contents: ReadonlyMap<string, Buffer>): Buffer {
  return packTar(
    files.map(({ path, executable, file }) => ({
      path,
      executable,
      content: contents.get(file.oid) ?? Buffer.alloc(0),
    })),
  );
}
