import { z } from "zod";

/**
 * A repository path without detours (`modules/aws/rds`), or undefined when `text` is absolute, leaves the repository,
 * or has characters that no path here may have (backslash, control characters, a drive letter).
 */
export function normalizeRepositoryPath(text: string): string | undefined {
  if (
    text === "" ||
    text.startsWith("/") ||
    text.startsWith("~") ||
    /[\\\p{Cc}]/u.test(text) ||
    /^[A-Za-z]:/.test(text)
  ) {
    return undefined;
  }
  const parts: string[] = [];
  for (const part of text.split("/")) {
    if (part === "..") return undefined;
    if (part !== "" && part !== ".") parts.push(part);
  }
  if (parts.length === 0 || parts[0] === ".git" || parts[0] === ".xcf") return undefined;
  return parts.join("/");
}

export const repositoryPathSchema = z
  .string()
  .min(1)
  .max(1_000)
  .refine(
    (text) => normalizeRepositoryPath(text) !== undefined,
    "must be a path inside the repository, relative, without ..",
  );
