import { isJsonObject, type JsonValue } from "../json-value.ts";
import { DOCUMENT_SCHEMAS, type Document, KINDS, type Kind } from "./document.ts";
import { LIMITS } from "./limits.ts";
import { nearestName, suggest } from "./nearest.ts";
import { compareProblems, type Problem } from "./problem.ts";
import { schemaProblems } from "./schema-problems.ts";
import type { Path, Source } from "./source.ts";
import { readYaml } from "./yaml-values.ts";

/** A valid document and where it is. `index` counts the documents of its file, from 0. */
export interface ParsedDocument<T extends Document = Document> {
  readonly source: Source;
  readonly index: number;
  readonly value: T;
}

export interface ParseResult {
  readonly documents: readonly ParsedDocument[];
  readonly problems: readonly Problem[];
}

/** Whether documents of other kinds are left alone (`envs/` and `policies/` hold other YAML, too) or are mistakes. */
export type Strictness = "every-document" | "own-documents";

/** Reads and validates one file of the DSL: every problem at once, the good documents among bad ones kept. Never throws. */
export function parseDocuments(file: string, text: string, strictness: Strictness = "every-document"): ParseResult {
  if (strictness === "own-documents" && !looksLikeDsl(text)) return { documents: [], problems: [] };
  const { source, values, problems: yamlProblems } = readYaml(file, text);
  const documents: ParsedDocument[] = [];
  const problems = [...yamlProblems];
  const faulty = yamlProblems.length > 0;
  for (const [index, value] of values.entries()) {
    if (value === null || (strictness === "own-documents" && !isOwn(value))) continue;
    const found = validate(source, index, value);
    if (!Array.isArray(found)) {
      if (!faulty) documents.push({ source, index, value: found });
    } else if (problems.length <= LIMITS.problems) problems.push(...found);
  }
  return { documents, problems: shortened(file, problems.sort(compareProblems)) };
}

function shortened(file: string, problems: Problem[]): Problem[] {
  if (problems.length <= LIMITS.problems) return problems;
  const kept = problems.slice(0, LIMITS.problems);
  const { line, col } = problems[LIMITS.problems] ?? { line: 1, col: 1 };
  const message = `this file has more than ${LIMITS.problems} problems; the rest is not told`;
  kept.push({ file, line, col, code: "LIMIT_EXCEEDED", message, hint: "begin with those above", severity: "error" });
  return kept;
}

const KIND_PATTERN = /(?:^|[{,\s])["']?kind["']?:\s*["']?([A-Za-z]{1,40})/g;

function looksLikeDsl(text: string): boolean {
  if (text.includes("xcloudflow.io/")) return true;
  return [...text.matchAll(KIND_PATTERN)].some(
    ([, kind]) => kind !== undefined && nearestName(kind, KINDS) !== undefined,
  );
}

function isOwn(value: JsonValue): boolean {
  if (!isJsonObject(value)) return false;
  const { apiVersion, kind } = value;
  if (typeof apiVersion === "string") return apiVersion.startsWith("xcloudflow.io/");
  return typeof kind === "string" && nearestName(kind, KINDS) !== undefined;
}

function validate(source: Source, index: number, value: JsonValue): Document | Problem[] {
  if (!isJsonObject(value)) {
    return [
      problem(source, index, [], "DOCUMENT_NOT_MAP", "the document is not a map", "it begins with apiVersion and kind"),
    ];
  }
  const { kind } = value;
  if (kind === undefined || kind === null) {
    return [problem(source, index, [], "KIND_MISSING", '"kind" is missing', `add kind: ${KINDS.join(" | ")}`)];
  }
  if (!isKind(kind)) {
    const hint = typeof kind === "string" ? suggest(kind, KINDS) : `allowed: ${KINDS.join(", ")}`;
    return [
      problem(source, index, ["kind"], "KIND_UNKNOWN", `${JSON.stringify(kind)} is not a kind of document`, hint),
    ];
  }
  const schema = DOCUMENT_SCHEMAS[kind];
  const result = schema.safeParse(value);
  return result.success ? result.data : schemaProblems({ source, document: index, schema, value }, result.error.issues);
}

function isKind(kind: JsonValue): kind is Kind {
  return typeof kind === "string" && Object.hasOwn(DOCUMENT_SCHEMAS, kind);
}

function problem(source: Source, index: number, path: Path, code: string, message: string, hint: string): Problem {
  return { file: source.file, ...source.valueAt(index, path), code, message, hint, severity: "error" };
}
