import { z } from "zod";

/**
 * A repository path without detours (`modules/aws/rds`), or undefined when `text` is absolute, leaves the repository,
 * or has characters that no path here may have (backslash, control characters, a drive letter).
 */
export function normalizeRepositoryPath(text: string): string | undefined {
  if (text.startsWith("/") || /[\\\p{Cc}]/u.test(text)) return undefined;
  const parts: string[] = [];
  for (const part of text.split("/")) {
    if (part === "..") return undefined;
    if (part !== "" && part !== ".") parts.push(part);
  }
  const [first] = parts;
  if (first === undefined || PRIVATE_FOLDERS.has(first) || /^~|^[A-Za-z]:/.test(first)) return undefined;
  return parts.join("/");
}

/** Git's own folder and the control plane's; nothing in them is content of the repository. */
const PRIVATE_FOLDERS: ReadonlySet<string> = new Set([".git", ".xcf"]);

export const repositoryPathSchema = z
  .string()
  .min(1)
  .max(1_000)
  .refine(
    (text) => normalizeRepositoryPath(text) !== undefined,
    "must be a path inside the repository, relative, without ..",
  );
