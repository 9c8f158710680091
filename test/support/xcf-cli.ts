import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { z } from "zod";
import { MODE, type TakenTenant, takeTenant } from "./shared-mesh.ts";

const run = promisify(execFile);
const XCF = resolve(dirname(fileURLToPath(import.meta.url)), "../../bin/xcf.js");

export interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/**
 * A Git repository in a folder of its own, with a home of its own, in which `xcf` is run as different people: against its
 * own `.xcf/`, or as a tenant of the shared mesh, where each person has a token.
 */
export interface TestRepository {
  readonly folder: string;
  /** The mesh and the tenant it belongs to; undefined embedded. */
  readonly tenant: TakenTenant | undefined;
  /** Runs `xcf` to its end. `as`: XCF_USER, with groups after a slash (`lead@example.com/platform-leads`). */
  xcf(
    words: readonly string[],
    options?: { readonly as?: string; readonly environment?: Readonly<Record<string, string>> },
  ): Promise<Outcome>;
  start(
    words: readonly string[],
    options?: { readonly as?: string; readonly environment?: Readonly<Record<string, string>> },
  ): Promise<ChildProcess>;
  /** Writes files and commits them as `author`. */
  commit(files: Readonly<Record<string, string>>, author?: string): Promise<string>;
  git(...words: string[]): Promise<string>;
  environment(options?: { readonly as?: string }): Record<string, string>;
  /** Ends the owner and removes everything. */
  dispose(): Promise<void>;
}

const ownerSchema = z.object({ pid: z.number() });

export async function createTestRepository(): Promise<TestRepository> {
  const base = await mkdtemp(join(tmpdir(), "xcf-e2e-"));
  const folder = join(base, "repository");
  const home = join(base, "home");
  await mkdir(folder);
  await mkdir(home);

  function environment({ as = "author@example.com" }: { readonly as?: string } = {}): Record<string, string> {
    const [user = "", groups = ""] = as.split("/");
    const { PATH = "", XDG_CACHE_HOME, HOME = "" } = process.env;
    // The cache of tools is shared, what is written under home is not.
    return {
      PATH,
      HOME: home,
      XDG_CACHE_HOME: XDG_CACHE_HOME ?? join(HOME, ".cache"),
      XCF_USER: user,
      XCF_GROUPS: groups,
      CI: "1",
      TF_CLI_CONFIG_FILE: "/dev/null",
    };
  }

  async function git(...words: string[]): Promise<string> {
    const { stdout } = await run("git", words, {
      cwd: folder,
      env: { ...environment(), GIT_CONFIG_GLOBAL: "/dev/null" },
    });
    return stdout.trim();
  }

  const tenant = MODE === "mesh" ? await takeTenant() : undefined;
  const identify = tenant === undefined ? () => Promise.resolve({}) : createTokens(tenant);

  /** Tokens of the people of this repository, made when they are first needed; each may do everything, as embedded. */
  function createTokens({ url, adminToken }: TakenTenant): (as: string | undefined) => Promise<Record<string, string>> {
    const tokens = new Map<string, Promise<string>>();
    const make = async (as: string): Promise<string> => {
      const [user = "", groups = ""] = as.split("/");
      const listed = groups.split(",").flatMap((group) => (group === "" ? [] : ["--group", group]));
      const words = ["token", "create", "--role", "admin", "--user", user, ...listed];
      const { stdout } = await run(process.execPath, [XCF, ...words], {
        cwd: folder,
        env: { ...environment(), XCF_SERVER: url, XCF_TOKEN: adminToken },
      });
      return stdout.trim();
    };
    return async (as = "author@example.com") => {
      const made = tokens.get(as) ?? make(as);
      tokens.set(as, made);
      return { XCF_SERVER: url, XCF_TOKEN: await made };
    };
  }

  await git("init", "--quiet", "--initial-branch=main");
  await git("config", "user.email", "author@example.com");
  await git("config", "user.name", "Author");
  return {
    folder,
    tenant,
    environment,
    git,
    async xcf(words, options = {}) {
      try {
        const { stdout, stderr } = await run(process.execPath, [XCF, ...words], {
          cwd: folder,
          env: { ...environment(options), ...(await identify(options.as)), ...options.environment },
          maxBuffer: 64 * 1024 * 1024,
        });
        return { code: 0, out: stdout, err: stderr };
      } catch (error) {
        const failed = z.object({ code: z.number(), stdout: z.string(), stderr: z.string() }).safeParse(error);
        if (!failed.success) throw error;
        return { code: failed.data.code, out: failed.data.stdout, err: failed.data.stderr };
      }
    },
    async start(words, options = {}) {
      return spawn(process.execPath, [XCF, ...words], {
        cwd: folder,
        env: { ...environment(options), ...(await identify(options.as)), ...options.environment },
        stdio: ["ignore", "pipe", "pipe"],
      });
    },
    async commit(files, author = "author@example.com") {
      for (const [path, content] of Object.entries(files)) {
        await mkdir(dirname(join(folder, path)), { recursive: true });
        await writeFile(join(folder, path), content);
      }
      await git("add", "--all");
      await git("-c", `user.email=${author}`, "commit", "--quiet", "--allow-empty", "-m", "change");
      return git("rev-parse", "HEAD");
    },
    async dispose() {
      await endOwner(folder);
      await rm(base, { recursive: true, force: true });
    },
  };
}

/** Kills the process that owns the repository's `.xcf`, if one does, and waits until it is gone. */
export async function endOwner(folder: string, signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
  const pid = await readOwnerPid(folder);
  if (pid === undefined) return;
  try {
    process.kill(pid, signal);
    while (process.kill(pid, 0)) await new Promise((resolve) => setTimeout(resolve, 20));
  } catch {
    // ESRCH: it is gone.
  }
}

export async function readOwnerPid(folder: string): Promise<number | undefined> {
  const { readFile } = await import("node:fs/promises");
  try {
    return ownerSchema.parse(JSON.parse(await readFile(join(folder, ".xcf", "owner.json"), "utf8"))).pid;
  } catch {
    return undefined;
  }
}
