import { CodedError } from "@xcloudflow/model/coded-error";

/** Thrown when a file that the caller named cannot be read or written. */
export class GivenFileError extends CodedError {
  constructor(path: string, doing: "read" | "written", cause: Error, code: string) {
    super("FILE_UNUSABLE", "invalid", {
      where: path,
      what: `it cannot be ${doing}: ${SENTENCES[code] ?? cause.message}`,
      hint: "give a path that is right and that you may use",
      cause,
    });
  }
}

const SENTENCES: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file or folder",
  EACCES: "you may not",
  EISDIR: "it is a folder",
  ENOTDIR: "a part of the path is not a folder",
  ENOSPC: "the disk is full",
  EROFS: "the file system is read-only",
};

/** What went wrong with a file that was named, as a sentence; any other error unchanged. */
export function explainFileError(error: unknown, path: string, doing: "read" | "written"): unknown {
  if (!(error instanceof Error && "errno" in error && "code" in error)) return error;
  return new GivenFileError(path, doing, error, String(error.code));
}
