import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Paths, relative to both folders, of the files that are in one only or differ in a byte, sorted. */
export function compareTrees(left: string, right: string): string[] {
  const paths = new Set([...listFiles(left), ...listFiles(right)]);
  return [...paths].filter((path) => !sameContent(join(left, path), join(right, path))).sort();
}

function listFiles(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
}

function sameContent(left: string, right: string): boolean {
  return existsSync(left) && existsSync(right) && readFileSync(left).equals(readFileSync(right));
}
