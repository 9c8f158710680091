import { constructFromEvents, EVENT_ID, type Event, getScalarValue, parseEvents, YAMLException } from "js-yaml";
import type { JsonValue } from "../json-value.ts";
import { LIMITS } from "./limits.ts";
import { measureValues } from "./measure-value.ts";
import { placeDocuments, scalarStart } from "./placement.ts";
import type { Problem } from "./problem.ts";
import { type Position, Source } from "./source.ts";
import { DSL_YAML_SCHEMA, KEY_NOT_TEXT } from "./yaml-schema.ts";
import { findSyntaxErrors } from "./yaml-syntax.ts";

/** The plain values of a file's documents, in order; an empty document is null. Aliased values are shared objects. */
export interface YamlValues {
  readonly source: Source;
  readonly values: readonly JsonValue[];
  readonly problems: readonly Problem[];
}

/**
 * Reads YAML 1.2 (core schema; no merge keys, no tags of one's own). Never throws. Values are those of a good file, and
 * of one whose only fault is a repeated key (the last one counts, so that everything else can still be checked).
 */
export function readYaml(file: string, text: string): YamlValues {
  const source = new Source(file, text.startsWith("\uFEFF") ? text.slice(1) : text);
  const tooLarge = measureFile(source);
  if (tooLarge !== undefined) return { source, values: [], problems: [tooLarge] };
  let events: Event[];
  try {
    events = parseEvents(source.text, { maxDepth: LIMITS.depth });
  } catch (error) {
    return { source, values: [], problems: syntaxProblems(source, error) };
  }
  source.place(placeDocuments(source.text, events));
  const problems: Problem[] = [];
  const values = construct(source, events, problems);
  measureValues(source, values, problems);
  if (values.length > LIMITS.documents) {
    return {
      source,
      values: [],
      problems: [
        limitProblem(source, 0, `has ${values.length} documents, more than ${LIMITS.documents}`, "split the file"),
      ],
    };
  }
  const unusable = problems.some((problem) => problem.code === "LIMIT_EXCEEDED");
  return { source, values: unusable ? [] : values, problems };
}

function measureFile(source: Source): Problem | undefined {
  if (source.text.length * 3 <= LIMITS.fileBytes) return undefined;
  const bytes = Buffer.byteLength(source.text);
  if (bytes <= LIMITS.fileBytes) return undefined;
  return limitProblem(
    source,
    0,
    `is ${bytes} bytes, more than ${LIMITS.fileBytes}`,
    "split the file; one composition a file is usual",
  );
}

function limitProblem(source: Source, offset: number, what: string, hint: string): Problem {
  return {
    file: source.file,
    ...source.at(offset),
    code: "LIMIT_EXCEEDED",
    message: `this file ${what}`,
    hint,
    severity: "error",
  };
}

function construct(source: Source, events: Event[], problems: Problem[]): readonly JsonValue[] {
  const options = { source: source.text, schema: DSL_YAML_SCHEMA, maxAliases: LIMITS.aliases };
  try {
    return asJsonValues(constructFromEvents(events, options));
  } catch (error) {
    const repeated = repeatedKeys(source, events);
    problems.push(...repeated);
    try {
      const values = constructFromEvents(events, { ...options, json: true });
      if (repeated.length === 0) problems.push(...syntaxProblems(source, error));
      return repeated.length === 0 ? [] : asJsonValues(values);
    } catch (other) {
      problems.push(...syntaxProblems(source, other));
      return [];
    }
  }
}

/** The core schema yields null, booleans, numbers, strings, arrays and plain objects only. */
function asJsonValues(values: unknown[]): readonly JsonValue[] {
  return values as readonly JsonValue[];
}

function syntaxProblems(source: Source, error: unknown): Problem[] {
  if (!(error instanceof YAMLException)) throw error;
  const position = error.mark === undefined ? { line: 1, col: 1 } : source.at(error.mark.position);
  const limit = limitReason(error.reason);
  if (limit !== undefined) return [problemAt(source, position, "LIMIT_EXCEEDED", limit.message, limit.hint)];
  const known = constructReason(error.reason);
  if (known !== undefined) {
    const col = known.code === "YAML_ALIAS" ? position.col - 1 : position.col;
    return [problemAt(source, { ...position, col }, known.code, known.message, known.hint)];
  }
  const found = findSyntaxErrors(source);
  return found.length > 0 ? found : [problemAt(source, position, "YAML_SYNTAX", error.reason, "")];
}

interface Reason {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
}

function limitReason(reason: string): Omit<Reason, "code"> | undefined {
  if (reason.includes("maxDepth")) {
    return { message: `maps and lists are nested deeper than ${LIMITS.depth}`, hint: "flatten the structure" };
  }
  if (reason.includes("maxAliases") || reason.includes("aliases exceeded")) {
    return {
      message: `more than ${LIMITS.aliases} aliases (*name) in one document`,
      hint: "write the values out, or use parameters",
    };
  }
  return undefined;
}

function constructReason(reason: string): Reason | undefined {
  const tag = /^unknown \w+ tag !<(.*)>$/.exec(reason)?.[1];
  if (tag !== undefined) {
    const name = tag.replace(/^tag:yaml\.org,2002:/, "!!");
    return {
      code: "YAML_TAG",
      message: `the tag ${name} is not known here`,
      hint: "remove the tag; only plain YAML 1.2 values are read",
    };
  }
  if (reason.startsWith("cannot resolve a node")) {
    return { code: "YAML_TAG", message: `the value does not fit its tag`, hint: "remove the tag, or quote the value" };
  }
  const alias = /^unidentified alias "(.*)"$/.exec(reason)?.[1];
  if (alias !== undefined) {
    return {
      code: "YAML_ALIAS",
      message: `nothing before this is anchored as &${alias}`,
      hint: `put &${alias} on the value that *${alias} means`,
    };
  }
  if (reason === KEY_NOT_TEXT) {
    return {
      code: "YAML_KEY",
      message: "a key must be text, not a number, a boolean, null, a map or a list",
      hint: "put quotes around the key",
    };
  }
  return undefined;
}

function problemAt(source: Source, position: Position, code: string, message: string, hint: string): Problem {
  return { file: source.file, ...position, code, message, hint, severity: "error" };
}

/** Every key that its own map had already, with the place of the first. */
function repeatedKeys(source: Source, events: readonly Event[]): Problem[] {
  const problems: Problem[] = [];
  const open: { keys: Map<string, number> | undefined; isKey: boolean }[] = [];
  for (const event of events) {
    const around = open.at(-1);
    if (event.type === EVENT_ID.POP) {
      open.pop();
      continue;
    }
    if (around?.keys !== undefined) {
      if (around.isKey && event.type === EVENT_ID.SCALAR) {
        const name = getScalarValue(source.text, event);
        const start = scalarStart(event) ?? 0;
        const first = around.keys.get(name);
        if (first === undefined) around.keys.set(name, start);
        else if (problems.length <= LIMITS.problems) problems.push(repeatedKey(source, name, start, first));
      }
      around.isKey = !around.isKey;
    }
    if (event.type === EVENT_ID.MAPPING) open.push({ keys: new Map(), isKey: true });
    if (event.type === EVENT_ID.SEQUENCE || event.type === EVENT_ID.DOCUMENT)
      open.push({ keys: undefined, isKey: false });
  }
  return problems;
}

function repeatedKey(source: Source, name: string, offset: number, first: number): Problem {
  const { line, col } = source.at(first);
  return problemAt(
    source,
    source.at(offset),
    "KEY_REPEATED",
    `the key "${name}" is there twice`,
    `the first is at ${line}:${col}; keep one of them`,
  );
}
