import { extname } from "node:path/posix";
import type { BundleEvaluator } from "./bundle-evaluator.ts";
import type { PolicyFile } from "./policy-bundle.ts";
import { InputInvalidError } from "./policy-errors.ts";

/** A file's documents. Several YAML documents, and the elements of a list, are judged one by one and reported together. */
export interface InputFile {
  readonly path: string;
  readonly documents: readonly unknown[];
}

/**
 * Reads files as conftest does: JSON numbers as doubles, YAML by the reader that OPA shares with it. Standard input (`-`)
 * is YAML.
 *
 * @throws {InputInvalidError} when a file is neither, or not well formed.
 */
export async function readInputFiles(
  files: readonly PolicyFile[],
  readYaml: BundleEvaluator["readYaml"],
): Promise<InputFile[]> {
  const inputs: InputFile[] = [];
  for (const file of files) inputs.push({ path: file.path, documents: await readDocuments(file, readYaml) });
  return inputs;
}

async function readDocuments({ path, content }: PolicyFile, readYaml: BundleEvaluator["readYaml"]): Promise<readonly unknown[]> {
  const text = new TextDecoder().decode(content);
  const kind = path === "-" ? ".yaml" : extname(path).toLowerCase();
  if (kind === ".json") return asList(parseJsonText(path, text));
  if (kind !== ".yaml" && kind !== ".yml") {
    throw new InputInvalidError(path, `${kind || "a file without extension"} cannot be judged`, "give JSON or YAML");
  }
  const texts = splitYaml(text);
  const values = (await readYaml(texts)).map((document, index) => {
    if (document !== undefined) return document.value;
    const which = texts.length === 1 ? "" : ` (document ${index + 1})`;
    throw new InputInvalidError(path, `not valid YAML${which}`, "correct the file");
  });
  const [first] = values;
  return texts.length === 1 ? asList(first) : values;
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
