import { accessSync, constants } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { delimiter, isAbsolute, join } from "node:path";
import { execa } from "execa";
import { SopsMissingError } from "./secrets-errors.ts";

/** Where `sops` is looked for, in this order. */
export interface SopsPlaces {
  /** The path in the configuration; when it is set, nowhere else is looked. */
  readonly configured?: string | undefined;
  /** The value of PATH. */
  readonly path?: string | undefined;
  /** The folder of the tools cache that holds a pinned `sops`. */
  readonly toolsFolder?: string | undefined;
}

/** @throws {SopsMissingError} */
export function findSops({ configured, path, toolsFolder }: SopsPlaces): string {
  const candidates =
    configured !== undefined && configured !== ""
      ? [configured]
      : [...(path ?? "").split(delimiter), toolsFolder ?? ""].filter(isAbsolute).map((folder) => join(folder, "sops"));
  const found = candidates.find(isExecutable);
  if (found === undefined)
    throw new SopsMissingError(configured ? configured : "not configured, not on PATH, not in the tools cache");
  return found;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

export type SopsFormat = "yaml" | "json" | "dotenv" | "ini" | "binary";

export interface SopsRun {
  readonly binary: string;
  readonly ageKeyFile: string;
  readonly format: SopsFormat;
  /** What to print: the document as JSON, or the file as it was before encryption. */
  readonly output: "json" | "plain";
  /** Where a folder for the encrypted bytes is made. */
  readonly folder: string;
  readonly timeoutMs: number;
}

export type SopsAnswer =
  | { readonly outcome: "decrypted"; readonly plain: Buffer }
  | { readonly outcome: "failed"; readonly message: string };

const MOST_BYTES = 16 * 1024 * 1024;
const MESSAGE_CHARACTERS = 500;

/**
 * Decrypts bytes with the age key and nothing else: an environment of its own (no cloud credentials, no home with a Vault
 * token), and only the encrypted bytes on disk.
 */
export async function decryptSops(encrypted: Uint8Array, run: SopsRun): Promise<SopsAnswer> {
  const folder = await mkdtemp(join(run.folder, "xcf-sops-"));
  try {
    const file = join(folder, "encrypted");
    await writeFile(file, encrypted, { mode: 0o600 });
    const output = run.output === "json" ? "json" : run.format;
    const result = await execa(run.binary, ["decrypt", "--input-type", run.format, "--output-type", output, file], {
      cwd: folder,
      extendEnv: false,
      env: {
        HOME: folder,
        XDG_CONFIG_HOME: folder,
        SOPS_AGE_KEY_FILE: run.ageKeyFile,
        SOPS_DISABLE_VERSION_CHECK: "1",
      },
      encoding: "buffer",
      stdin: "ignore",
      maxBuffer: MOST_BYTES,
      timeout: run.timeoutMs,
      killSignal: "SIGKILL",
      reject: false,
      stripFinalNewline: false,
    });
    if (!result.failed) return { outcome: "decrypted", plain: Buffer.from(result.stdout) };
    const said = Buffer.from(result.stderr).toString("utf8").trim().slice(0, MESSAGE_CHARACTERS);
    return {
      outcome: "failed",
      message: result.timedOut
        ? `sops took longer than ${run.timeoutMs / 1000} s`
        : said || "sops failed without a word",
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
