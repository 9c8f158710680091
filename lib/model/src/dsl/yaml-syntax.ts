import { type ErrorCode, parseAllDocuments } from "yaml";
import type { Problem } from "./problem.ts";
import type { Source } from "./source.ts";

const HINTS: Readonly<Partial<Record<ErrorCode, string>>> = {
  TAB_AS_INDENT: "indent with spaces",
  BLOCK_AS_IMPLICIT_KEY: 'put quotes around a text that has ": " in it, or begin a new line',
  BAD_INDENT: "line the text up with its neighbours, and close every bracket and quote",
  BAD_SCALAR_START: "put quotes around the text",
  MISSING_CHAR: "add what is missing; close every bracket and quote",
  UNEXPECTED_TOKEN: "remove it, or put quotes around the text",
  IMPOSSIBLE: "write the value in a simpler way",
  MULTILINE_IMPLICIT_KEY: "keep a key on one line, and give it a colon and a space",
  BAD_DQ_ESCAPE: "write \\\\ for a backslash, or use single quotes",
};

/**
 * Every syntax error of a file that does not parse: this parser goes on behind an error, the one that reads good files
 * stops at the first. Of several on one line only the first is kept, since the others follow from it.
 */
export function findSyntaxErrors(source: Source): Problem[] {
  const problems = new Map<number, Problem>();
  for (const error of parseErrors(source.text)) {
    const position = source.at(error.pos[0]);
    if (problems.has(position.line)) continue;
    const end = source.at(error.pos[1]);
    problems.set(position.line, {
      file: source.file,
      ...position,
      endLine: end.line,
      endCol: end.col,
      code: "YAML_SYNTAX",
      message: lowerFirst(error.message),
      hint: HINTS[error.code] ?? "",
      severity: "error",
    });
  }
  return [...problems.values()];
}

function parseErrors(
  text: string,
): { readonly pos: readonly [number, number]; readonly code: ErrorCode; readonly message: string }[] {
  try {
    const documents = parseAllDocuments(text, {
      version: "1.2",
      schema: "core",
      prettyErrors: false,
      uniqueKeys: false,
      logLevel: "silent",
    });
    return [...documents].flatMap((document) => document.errors);
  } catch (error) {
    // This parser recurses; text made to exhaust the stack is described by the other parser's single error.
    if (error instanceof RangeError) return [];
    throw error;
  }
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
