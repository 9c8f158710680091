import type { ParsedDocument } from "./parse.ts";
import type { Problem } from "./problem.ts";
import type { Path } from "./source.ts";

export interface Report {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
  readonly severity?: Problem["severity"];
}

/** A problem at the value `path` leads to. */
export function problemAtValue(document: ParsedDocument, path: Path, report: Report): Problem {
  const { source, index } = document;
  return { file: source.file, ...source.valueAt(index, path), severity: "error", ...report };
}

/** A problem at the key of what `path` leads to. */
export function problemAtKey(document: ParsedDocument, path: Path, report: Report): Problem {
  const { source, index } = document;
  return { file: source.file, ...source.keyAt(index, path), severity: "error", ...report };
}

/** A problem inside the string `path` leads to, at the offset of what is wrong in it. */
export function problemInside(
  document: ParsedDocument,
  path: Path,
  text: unknown,
  offset: number,
  report: Report,
): Problem {
  const { source, index } = document;
  const position = typeof text === "string" ? source.insideAt(index, path, text, offset) : source.valueAt(index, path);
  return { file: source.file, ...position, severity: "error", ...report };
}

/** A problem at a `file:line:col` that was worked out before. */
export function problemAtReference(reference: string, report: Report): Problem {
  const [, file, line, col] = /^(.*):(\d+):(\d+)$/.exec(reference) ?? [];
  return { file: file ?? reference, line: Number(line ?? 1), col: Number(col ?? 1), severity: "error", ...report };
}
