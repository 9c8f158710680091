import { readdir, readFile, stat } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { dslStrictness } from "@xcloudflow/model/dsl/monorepo";

const FOLDERS = ["envs", "compositions", "policies"];

/** The DSL files of a work tree, path → text, for verbs that need no control plane. */
export async function readWorkTree(repository: string): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  const platform = await readIfThere(join(repository, ".xcf.yaml"));
  if (platform !== undefined) files.set(".xcf.yaml", platform);
  for (const folder of FOLDERS) {
    for (const path of await listFiles(join(repository, folder))) {
      const name = relative(repository, path).split(sep).join("/");
      if (dslStrictness(name) !== undefined) files.set(name, await readFile(path, "utf8"));
    }
  }
  return files;
}

/** Every regular file below a folder; links are not followed. */
export async function listFiles(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .sort();
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

/** Every folder at or below these, absolute. */
export async function listFolders(...tops: readonly string[]): Promise<Set<string>> {
  const folders = new Set<string>();
  for (const top of tops) {
    if (!(await isFolder(top))) continue;
    folders.add(top);
    const entries = await readdir(top, { recursive: true, withFileTypes: true });
    for (const entry of entries) if (entry.isDirectory()) folders.add(join(entry.parentPath, entry.name));
  }
  return folders;
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

export async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR");
}
