import { type ParseOptions, parseAllDocuments, type ScalarTag, type SchemaOptions, type Tags } from "yaml";

/** Thrown by `readYaml`; the message names line and column. */
export class YamlUnreadableError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "YamlUnreadableError";
  }
}

const INT = "tag:yaml.org,2002:int";
const FLOAT = "tag:yaml.org,2002:float";
const BINARY = "tag:yaml.org,2002:binary";
const TIMESTAMP = "tag:yaml.org,2002:timestamp";

/** What the YAML reader of conftest understands besides YAML 1.1. */
const goTags: ScalarTag[] = [
  { tag: INT, default: true, test: /^[-+]?0o[0-7_]+$/, resolve: (text) => readOctal(text) },
  { tag: FLOAT, default: false, test: /^[-+]?[0-9]+$/, resolve: (text) => Number(text) },
  { tag: BINARY, default: false, resolve: (text) => Buffer.from(text, "base64").toString() },
];

/** It knows neither numbers to the base of 60 nor moments: both stay text. */
function chooseTags(tags: Tags): Tags {
  const kept = tags.filter(
    (tag) => typeof tag === "string" || !(tag.format === "TIME" || tag.tag === TIMESTAMP || tag.tag === BINARY),
  );
  return [...goTags, ...kept];
}

const options: ParseOptions & SchemaOptions & { version: "1.1"; uniqueKeys: boolean } = {
  version: "1.1",
  schema: "yaml-1.1",
  merge: true,
  uniqueKeys: false,
  customTags: chooseTags,
};

/**
 * The first document of a text as conftest reads it, which is YAML 1.1 with small differences (`yes` is true, `010` is 8,
 * `1:30` is text). Maps are `Map`s with string keys, so that no key is special.
 *
 * @throws {YamlUnreadableError} when it is no YAML, or has what JSON cannot hold.
 */
export function readYaml(text: string): unknown {
  const documents = parseAllDocuments(text, options);
  const [document] = documents;
  if (!Array.isArray(documents) || document === undefined || !("toJS" in document)) return null;
  const [problem] = document.errors;
  if (problem !== undefined) throw new YamlUnreadableError(problem.message);
  return normalize(document.toJS({ mapAsMap: true }));
}

function normalize(value: unknown): unknown {
  if (value instanceof Map) return new Map([...value].map(([key, member]) => [readKey(key), normalize(member)]));
  if (value instanceof Set) return new Map([...value].map((key) => [readKey(key), null]));
  if (Array.isArray(value)) return value.map(normalize);
  if (typeof value === "bigint") return Number(value);
  if (typeof value === "number" && !Number.isFinite(value)) throw new YamlUnreadableError(`${value} is no JSON number`);
  return value ?? null;
}

function readKey(key: unknown): string {
  if (typeof key === "string") return key;
  if (typeof key === "number" || typeof key === "boolean") return String(key);
  throw new YamlUnreadableError("a key is neither text nor a number nor true or false");
}

function readOctal(text: string): number {
  const digits = text.replaceAll("_", "").replace(/^\+/, "");
  return digits.startsWith("-") ? -Number(digits.slice(1)) : Number(digits);
}
