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

/** A module ready to travel: the fields of a unit's `module`. */
export interface PackedModule {
  readonly archive: string;
  readonly path: string;
  readonly contentHash: string;
  readonly closure: Closure;
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
  readonly contentHash: string;
}

/** Archives larger than this are refused: a runner unpacks them for every attempt. */
const MAX_ARCHIVE_BYTES = 256 * 1024 * 1024;

/** Files read at once while packing, which bounds the memory it takes. */
const BATCH_FILES = 4_000;

export function createModulePacker(): ModulePacker {
  const sources: SourceCache = createLruCache(100_000);
  const packed = createLruCache<string, PackedDigest>(100_000);
  return {
    async pack(requests) {
      const closures: (Closure | ClosureProblem[])[] = [];
      await warmSources(requests, sources);
      for (const request of requests) closures.push(await collectClosure(request, sources));
      const results = new Map<number, PackedModule | readonly ClosureProblem[]>();
      const missing = new Map<string, Closure>();
      for (const closure of closures)
        if (!Array.isArray(closure) && packed.get(closure.key) === undefined) missing.set(closure.key, closure);
      const fresh = await packMissing([...missing.values()], packed);
      for (const [index, closure] of closures.entries()) {
        if (Array.isArray(closure)) results.set(index, closure);
        else {
          const digest = fresh.get(closure.key) ?? packed.get(closure.key);
          if (digest === undefined) continue;
          results.set(index, "archive" in digest ? { ...digest, path: closure.path, closure } : [digest]);
        }
      }
      return requests.map((_request, index) => results.get(index) ?? []);
    },
    async archiveOf({ closure }) {
      const files = await closure.listFiles();
      return packFiles(files, await readFiles(files));
    },
  };
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
    contentHash: `sha256:${hash.digest("hex")}`,
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
