import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findExecutable } from "./locate-tool.ts";

/** Thrown when a tool comes from a Debian package and this machine cannot fetch one. */
export class DebianPackageMissingError extends Error {
  constructor(name: string, cause?: unknown) {
    super(`the Debian package ${name} cannot be fetched; run apt-get update, or put its programs on PATH`, { cause });
    this.name = "DebianPackageMissingError";
  }
}

/**
 * Fetches a Debian package from the sources the machine trusts and puts its programs into `output`. Nothing is installed
 * and no right of root is needed.
 *
 * @throws {DebianPackageMissingError} when there is no apt, or it does not know the package.
 */
export function unpackDebian(name: string, binaries: readonly string[], output: string, env: NodeJS.ProcessEnv): void {
  if (findExecutable("apt-get", env) === undefined) throw new DebianPackageMissingError(name);
  const scratch = mkdtempSync(join(tmpdir(), "xcf-debian-"));
  try {
    try {
      download(name, scratch, env);
    } catch {
      // Fresh containers know of no packages at all; whoever may not ask for the list is told to by the error.
      apt(["update"], scratch, env);
      download(name, scratch, env);
    }
    const file = readdirSync(scratch).find((entry) => entry.endsWith(".deb"));
    if (file === undefined) throw new DebianPackageMissingError(name);
    const files = join(scratch, "files");
    mkdirSync(files);
    execFileSync("dpkg-deb", ["--extract", join(scratch, file), files], { env, stdio: ["ignore", "ignore", "pipe"] });
    for (const binary of binaries) copyFileSync(join(files, "usr", "bin", binary), join(output, binary));
  } catch (cause) {
    throw cause instanceof DebianPackageMissingError ? cause : new DebianPackageMissingError(name, cause);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function download(name: string, folder: string, env: NodeJS.ProcessEnv): void {
  apt(["download", name], folder, env);
}

function apt(words: readonly string[], folder: string, env: NodeJS.ProcessEnv): void {
  execFileSync("apt-get", ["--quiet=2", ...words], { cwd: folder, env, stdio: ["ignore", "ignore", "pipe"] });
}
