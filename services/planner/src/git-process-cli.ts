import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { GitFailedError } from "./git-errors.ts";

/** How git is run. Nothing of the control plane's own environment reaches it but this. */
export interface GitSettings {
  /** The git binary, a name on `path` or an absolute path. */
  readonly binary: string;
  /** `PATH` for git itself. */
  readonly path: string;
  /** Further variables, for fetching only: `SSH_AUTH_SOCK`, `GIT_SSH_COMMAND`, proxies. */
  readonly fetchEnvironment: Readonly<Record<string, string>>;
}

export const DEFAULT_GIT: GitSettings = { binary: "git", path: "/usr/local/bin:/usr/bin:/bin", fetchEnvironment: {} };

/**
 * Switches that take every command out of a repository's own configuration, and every transport: reading objects needs
 * neither. `safe.directory` may be open because of that: the check exists to keep such commands from running.
 */
const HARDENING = [
  "--no-pager",
  "--no-optional-locks",
  "--literal-pathspecs",
  "-c",
  "safe.directory=*",
  "-c",
  "core.fsmonitor=false",
  "-c",
  "core.hooksPath=/dev/null",
  "-c",
  "core.quotePath=false",
  "-c",
  "log.showSignature=false",
  "-c",
  "core.attributesFile=/dev/null",
];

export const READ_ONLY = ["-c", "protocol.allow=never"];

function cleanEnvironment(settings: GitSettings): Record<string, string> {
  return {
    PATH: settings.path,
    HOME: "/nonexistent",
    LC_ALL: "C",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_ATTR_NOSYSTEM: "1",
    GIT_TERMINAL_PROMPT: "0",
    GIT_OPTIONAL_LOCKS: "0",
    GIT_NO_REPLACE_OBJECTS: "1",
    GIT_NO_LAZY_FETCH: "1",
  };
}

export interface GitResult {
  readonly status: number;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** Largest answer of one command that is kept in memory: a tree listing of some millions of files. */
const MAX_OUTPUT = 1024 * 1024 * 1024;

/** Runs one git command in `directory`. Never goes through a shell; never reads the terminal. */
export async function runGit(
  settings: GitSettings,
  directory: string,
  args: readonly string[],
  extra: Readonly<Record<string, string>> = {},
): Promise<GitResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(settings.binary, [...HARDENING, ...args], {
      cwd: directory,
      env: { ...cleanEnvironment(settings), ...extra },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    let size = 0;
    child.stdout.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size > MAX_OUTPUT) child.kill("SIGKILL");
      else stdout.push(chunk);
    });
    child.stderr.on("data", (chunk: Buffer) => {
      if (stderr.length < 100) stderr.push(chunk);
    });
    child.on("error", (cause) =>
      reject(new GitFailedError(`${settings.binary} cannot be started in ${directory}`, cause)),
    );
    child.on("close", (status) => {
      resolve({ status: status ?? -1, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr).toString().trim() });
    });
  });
}

/** A git command that stays and is talked to. */
export function spawnGit(
  settings: GitSettings,
  directory: string,
  args: readonly string[],
): ChildProcessWithoutNullStreams {
  return spawn(settings.binary, [...HARDENING, ...READ_ONLY, ...args], {
    cwd: directory,
    env: cleanEnvironment(settings),
  });
}

/** What git says went wrong, in one line. */
export function firstLine(text: string): string {
  return text.split("\n", 1)[0]?.replace(/^fatal: /, "") || "no reason given";
}
