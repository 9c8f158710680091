import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join, relative } from "node:path";
import { digestOf, sha256Hex } from "@xcloudflow/model/digest";
import type { Attempt } from "@xcloudflow/runner-host/attempt";
import { z } from "zod";
import { runTerraform, type TerraformBinary } from "./terraform-cli.ts";
import { readTerraformConfig, type TerraformConfig } from "./terraform-config.ts";
import { failureOf } from "./terraform-diagnostics.ts";

export interface InitRequest {
  readonly binary: TerraformBinary;
  /** Where terraform is run, and `-chdir` of it if that is another folder. */
  readonly cwd: string;
  readonly folder: string;
  readonly config: TerraformConfig;
  readonly env: Readonly<Record<string, string>>;
  /** What else decides the outcome: backend mode, workspace, wrapper. */
  readonly mode: string;
}

/** What a module's providers and remote modules are: goes into the unit plan's `locks`. */
export type InstallLocks = Readonly<Record<string, string>>;

export interface Installer {
  /** Makes `<folder>/.terraform`, from a prepared copy where one fits. Answers the locks and whether it was a copy. */
  install(attempt: Attempt, request: InitRequest): Promise<{ readonly locks: InstallLocks; readonly copied: boolean }>;
  /** Runs `terraform init` whatever is prepared: for when terraform found a prepared copy wanting. */
  reinstall(attempt: Attempt, request: InitRequest): Promise<InstallLocks>;
}

const DATA = ".terraform";
const LOCK_FILE = ".terraform.lock.hcl";
const READY = "locks.json";
const locksSchema = z.record(z.string(), z.string());

/**
 * `terraform init` depends on few facts of a module: its provider requirements, module calls, backend type and lock file.
 * It is run once for each set of them; every other unit with the same facts gets a copy of what it installed. Terraform
 * checks on each later command that what is installed fits; where it does not, `reinstall` is the way out.
 */
export function createInstaller(cacheFolder: string, configDigest: string): Installer {
  mkdirSync(cacheFolder, { recursive: true, mode: 0o700 });
  const preparing = new Map<string, Promise<void>>();
  const trees = new Map<string, SmallTree | undefined>();
  let initialising: Promise<unknown> = Promise.resolve();

  function keyOf(attempt: Attempt, { binary, folder, config, mode }: InitRequest): string {
    const lock = join(folder, LOCK_FILE);
    const facts = closureFacts(folder, config, binary);
    // What a remote source points to may change; for one commit it stays what it was when first installed.
    const pinned = facts.remote ? attempt.spec.module.contentHash : "";
    const lockText = existsSync(lock) ? readFileSync(lock, "utf8") : "";
    return sha256Hex(JSON.stringify([binary.version, binary.file, configDigest, mode, facts.facts, pinned, lockText]));
  }

  async function init(attempt: Attempt, request: InitRequest): Promise<InstallLocks> {
    const { binary, cwd, folder, env } = request;
    const locked = existsSync(join(folder, LOCK_FILE));
    const args = [
      ...(cwd === folder ? [] : [`-chdir=${relative(cwd, folder)}`]),
      "init",
      "-input=false",
      "-no-color",
      ...(locked ? ["-lockfile=readonly"] : []),
    ];
    // One at a time: the shared plugin cache is not made for concurrent writers (terraform's own documentation).
    const turn = initialising.then(() =>
      runTerraform(attempt, { binary, args, cwd, env, actor: "installer", events: true }),
    );
    initialising = turn.catch(() => undefined);
    const exit = await turn;
    attempt.signal.throwIfAborted();
    if (exit.code !== 0) {
      throw failureOf(exit.diagnostics, {
        command: "init",
        effects: "none",
        modulePath: attempt.spec.module.path,
        exit,
        output: exit.stderr(),
      });
    }
    return locksOf(folder);
  }

  async function prepare(attempt: Attempt, request: InitRequest, prepared: string): Promise<void> {
    const locks = await init(attempt, request);
    const next = `${prepared}.${process.pid}.next`;
    rmSync(next, { recursive: true, force: true });
    mkdirSync(next, { recursive: true, mode: 0o700 });
    cpSync(join(request.folder, DATA), join(next, DATA), { recursive: true, verbatimSymlinks: true });
    if (existsSync(join(request.folder, LOCK_FILE))) cpSync(join(request.folder, LOCK_FILE), join(next, LOCK_FILE));
    writeFileSync(join(next, READY), JSON.stringify(locks));
    rmSync(prepared, { recursive: true, force: true });
    renameSync(next, prepared);
  }

  function copy(prepared: string, folder: string): InstallLocks {
    const tree = trees.get(prepared) ?? readTree(join(prepared, DATA));
    trees.set(prepared, tree);
    if (tree === undefined)
      cpSync(join(prepared, DATA), join(folder, DATA), { recursive: true, verbatimSymlinks: true });
    else writeTree(tree, join(folder, DATA));
    if (existsSync(join(prepared, LOCK_FILE)) && !existsSync(join(folder, LOCK_FILE))) {
      cpSync(join(prepared, LOCK_FILE), join(folder, LOCK_FILE));
    }
    return locksSchema.parse(JSON.parse(readFileSync(join(prepared, READY), "utf8")));
  }

  return {
    async install(attempt, request) {
      const prepared = join(cacheFolder, keyOf(attempt, request));
      for (let waiting = preparing.get(prepared); waiting !== undefined; waiting = preparing.get(prepared)) {
        // Whether it worked shows below; another's failure is not ours.
        await waiting.catch(() => undefined);
      }
      if (existsSync(join(prepared, READY))) return { locks: copy(prepared, request.folder), copied: true };
      const work = prepare(attempt, request, prepared).finally(() => preparing.delete(prepared));
      preparing.set(prepared, work);
      await work;
      return { locks: locksOf(request.folder), copied: false };
    },

    async reinstall(attempt, request) {
      rmSync(join(request.folder, DATA), { recursive: true, force: true });
      const prepared = join(cacheFolder, keyOf(attempt, request));
      rmSync(prepared, { recursive: true, force: true });
      trees.delete(prepared);
      return init(attempt, request);
    },
  };
}

/** A folder of few small files and links, kept in memory: most modules install no more than a backend's settings. */
interface SmallTree {
  readonly folders: readonly string[];
  readonly files: readonly { readonly path: string; readonly bytes: Buffer }[];
  readonly links: readonly { readonly path: string; readonly target: string }[];
}

const SMALL_ENTRIES = 40;
const SMALL_FILE = 65_536;

/** Undefined when the folder is too large to be kept. */
function readTree(root: string): SmallTree | undefined {
  const entries = readdirSync(root, { recursive: true, withFileTypes: true });
  if (entries.length > SMALL_ENTRIES) return undefined;
  const placed = entries.map((entry) => ({ entry, path: relative(root, join(entry.parentPath, entry.name)) }));
  const files = placed
    .filter(({ entry }) => entry.isFile())
    .map(({ path }) => ({ path, bytes: readFileSync(join(root, path)) }));
  if (files.some(({ bytes }) => bytes.length > SMALL_FILE)) return undefined;
  return {
    folders: placed
      .filter(({ entry }) => entry.isDirectory())
      .map(({ path }) => path)
      .sort(),
    files,
    links: placed
      .filter(({ entry }) => entry.isSymbolicLink())
      .map(({ path }) => ({ path, target: readlinkSync(join(root, path)) })),
  };
}

function writeTree({ folders, files, links }: SmallTree, root: string): void {
  mkdirSync(root, { recursive: true, mode: 0o700 });
  for (const folder of folders) mkdirSync(join(root, folder), { recursive: true, mode: 0o700 });
  for (const { path, bytes } of files) writeFileSync(join(root, path), bytes, { mode: 0o600 });
  for (const { path, target } of links) symlinkSync(target, join(root, path));
}

/** Facts of the module and of every local module below it. */
function closureFacts(
  folder: string,
  config: TerraformConfig,
  binary: TerraformBinary,
): { readonly facts: unknown; readonly remote: boolean } {
  const facts: unknown[] = [];
  let remote = false;
  const visited = new Set<string>();
  const visit = (path: string, current: TerraformConfig): void => {
    if (visited.has(path)) return;
    visited.add(path);
    facts.push(current.installFacts);
    for (const [name, { source }] of [...current.modules].sort(([a], [b]) => (a < b ? -1 : 1))) {
      if (source === undefined || !/^\.\.?\//.test(source)) {
        remote = true;
        continue;
      }
      const child = join(path, source);
      if (existsSync(child)) visit(child, readTerraformConfig(child, binary.product));
      else facts.push(["missing", name, source]);
    }
  };
  visit(folder, config);
  return { facts, remote };
}

const manifestSchema = z.object({
  Modules: z.array(z.object({ Key: z.string(), Source: z.string(), Version: z.string().optional(), Dir: z.string() })),
});

/** Digests of the lock file and of every module that came from elsewhere, content included. */
function locksOf(folder: string): InstallLocks {
  const locks: Record<string, string> = {};
  const lock = join(folder, LOCK_FILE);
  if (existsSync(lock)) {
    const text = readFileSync(lock, "utf8");
    if (/^provider "/m.test(text)) locks[LOCK_FILE] = `sha256:${sha256Hex(text)}`;
  }
  const manifest = join(folder, DATA, "modules", "modules.json");
  if (!existsSync(manifest)) return locks;
  const { Modules: modules } = manifestSchema.parse(JSON.parse(readFileSync(manifest, "utf8")));
  for (const { Key: key, Source: source, Version: version = "", Dir: dir } of modules) {
    if (key !== "" && !/^\.\.?\//.test(source))
      locks[`module.${key}`] = digestOf({ source, version, content: folderDigest(join(folder, dir)) });
  }
  return locks;
}

function folderDigest(folder: string): string {
  if (!existsSync(folder)) return "";
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !path.includes("/.git/"))
    .sort();
  return digestOf(files.map((path) => [relative(folder, path), sha256Hex(readFileSync(path))]));
}

/** Terraform's ways to say that what is installed does not fit the configuration or the state. */
export function needsReinstall(diagnostics: readonly { readonly summary: string }[]): boolean {
  return diagnostics.some(({ summary }) =>
    /^(?:Backend initialization required|Module not installed|Module source has changed|Module version requirements have changed|Inconsistent dependency lock file|Required plugins are not installed|Missing required provider|Could not load plugin|Failed to load plugin)/i.test(
      summary,
    ),
  );
}
