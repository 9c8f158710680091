import { extname } from "node:path/posix";
import type { PolicyFile } from "./policy-bundle.ts";
import { InputInvalidError } from "./policy-errors.ts";
import { readYaml } from "./yaml-documents.ts";

/** A file's documents. Several YAML documents, and the elements of a list, are judged one by one and reported together. */
export interface InputFile {
  readonly path: string;
  readonly documents: readonly unknown[];
}

/**
 * Reads files as conftest does: by their extension, JSON numbers as doubles, standard input (`-`) as YAML.
 *
 * @throws {InputInvalidError} when a file is neither, or not well formed.
 */
export function readInputFile({ path, content }: PolicyFile): InputFile {
  const text = new TextDecoder().decode(content);
  const kind = path === "-" ? ".yaml" : extname(path).toLowerCase();
  if (kind === ".json") return { path, documents: asList(parseJsonText(path, text)) };
  if (kind !== ".yaml" && kind !== ".yml") {
    throw new InputInvalidError(path, `${kind || "a file without extension"} cannot be judged`, "give JSON or YAML");
  }
  const texts = splitYaml(text);
  const values = texts.map((part, index) =>
    parseYamlText(texts.length === 1 ? path : `${path} (document ${index + 1})`, part),
  );
  return { path, documents: texts.length === 1 ? asList(values[0]) : values };
}

function parseYamlText(where: string, text: string): unknown {
  try {
    return readYaml(text);
  } catch (cause) {
    const reason = cause instanceof Error ? (cause.message.split("\n")[0] ?? "") : String(cause);
    throw new InputInvalidError(where, `not valid YAML: ${reason}`, "correct the file", cause);
  }
}

function parseJsonText(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new InputInvalidError(path, "not valid JSON", "correct the file", cause);
  }
}

function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [value];
}

/** Splits where conftest does: at lines that are exactly `---`, the first line excepted; a directive belongs to the first. */
function splitYaml(text: string): string[] {
  const newline = text.includes("\r\n") ? "\r\n" : "\n";
  const separator = `${newline}---${newline}`;
  const parts = text.split(separator);
  if (!text.startsWith("%")) return parts;
  const [directive = "", first, ...rest] = parts;
  return first === undefined ? [directive] : [`${directive}${separator}${first}`, ...rest];
}

/** The one document that `--combine` makes of all files. */
export function combineInputs(inputs: readonly InputFile[]): InputFile {
  const members = inputs
    .flatMap(({ path, documents }) => documents.map((contents) => ({ path, contents })))
    .sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  return { path: "Combined", documents: [members] };
}
