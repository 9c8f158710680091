import type { z } from "zod";
import { timeZoneNames } from "../time-zone.ts";
import { LIMITS } from "./limits.ts";
import { nearestName, suggest } from "./nearest.ts";
import type { Problem } from "./problem.ts";
import { choicesAt, keysAt, memberOf } from "./schema-shape.ts";
import type { Path, Source } from "./source.ts";

interface Subject {
  readonly source: Source;
  readonly document: number;
  readonly schema: z.core.$ZodType;
  readonly value: unknown;
}

/** A document's schema issues as problems at the place in the file that each is about. */
export function schemaProblems(subject: Subject, issues: readonly z.core.$ZodIssue[]): Problem[] {
  return issues.slice(0, LIMITS.problems).flatMap((issue) => issueProblems(subject, issue, []));
}

function issueProblems(subject: Subject, issue: z.core.$ZodIssue, base: Path): Problem[] {
  const path = [...base, ...issue.path];
  const value = valueAt(subject.value, path);
  switch (issue.code) {
    case "unrecognized_keys":
      return issue.keys.slice(0, LIMITS.problems).map((key) => unknownKey(subject, path, key));
    case "invalid_union":
      return unionProblems(subject, issue, path, value);
    case "invalid_key":
      return issue.issues.map((inner) =>
        problem(subject, path, "KEY_INVALID", `the key "${String(path.at(-1))}" ${inner.message}`, "", "key"),
      );
    case "invalid_value":
      return [invalidValue(subject, path, value, issue.values.map(String))];
    case "invalid_type":
      return [invalidType(subject, path, value, issue.expected)];
    case "too_small":
    case "too_big":
      return [problem(subject, path, "VALUE_RANGE", `${named(path)} ${rangeMessage(issue)}`, "")];
    default:
      return [
        problem(
          subject,
          path,
          "VALUE_INVALID",
          `${named(path)} ${isHidden(issue) ? "" : shown(value)}${issue.message}`,
          nearestHint(issue, value),
        ),
      ];
  }
}

function unknownKey(subject: Subject, path: Path, key: string): Problem {
  const known = keysAt(subject.schema, subject.value, path);
  const allowed = known.filter((name) => memberOf(valueAt(subject.value, path), name) === undefined);
  const nearest = nearestName(key, known);
  const otherwise = allowed.length === 0 ? "remove it" : suggest(key, allowed, "allowed here");
  const hint = nearest === undefined ? otherwise : `did you mean "${nearest}"?`;
  const place = path.length === 0 ? "" : ` in ${dotted(path)}`;
  return problem(subject, [...path, key], "KEY_UNKNOWN", `unknown key "${key}"${place}`, hint, "key");
}

function invalidValue(subject: Subject, path: Path, value: unknown, choices: readonly string[]): Problem {
  if (value === undefined) return missing(subject, path, choices);
  if (value === null) return empty(subject, path);
  const hint = typeof value === "string" ? suggest(value, choices) : `allowed: ${choices.join(", ")}`;
  return problem(subject, path, "VALUE_UNKNOWN", `${named(path)} cannot be ${print(value)}`, hint);
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  object: "a map",
  record: "a map",
  array: "a list",
  string: "text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
};

function invalidType(subject: Subject, path: Path, value: unknown, expected: string): Problem {
  if (value === undefined) return missing(subject, path, choicesAt(subject.schema, subject.value, path));
  if (value === null) return empty(subject, path);
  const wanted = TYPE_NAMES[expected] ?? expected;
  const hint = expected === "string" && typeof value !== "object" ? `put quotes around it: "${String(value)}"` : "";
  return problem(subject, path, "VALUE_TYPE", `${named(path)} must be ${wanted}, not ${kindOf(value)}`, hint);
}

function missing(subject: Subject, path: Path, choices: readonly string[]): Problem {
  const around = path.slice(0, -1);
  const place = around.length === 0 ? "" : ` in ${dotted(around)}`;
  const hint = choices.length > 0 ? `one of ${choices.join(", ")}` : "add it";
  return problem(subject, around, "KEY_MISSING", `"${String(path.at(-1))}" is missing${place}`, hint, "key");
}

function empty(subject: Subject, path: Path): Problem {
  return problem(subject, path, "VALUE_EMPTY", `${named(path)} is empty`, "give it a value, or remove the key", "key");
}

/** A schema that checks a name against a long list says so by `params.list`, since nobody wants to read the list. */
function nearestHint(issue: z.core.$ZodIssue, value: unknown): string {
  if (issue.code !== "custom" || issue.params?.["list"] !== "timezone" || typeof value !== "string") return "";
  const nearest = nearestName(value, timeZoneNames());
  return nearest === undefined ? "" : `did you mean "${nearest}"?`;
}

/** An option with one of these at its root is of another kind than the value. */
const ROOT_CODES: ReadonlySet<string> = new Set(["invalid_type", "invalid_value"]);

/** Of a union without discriminator, the option of the value's own kind is meant. */
function unionProblems(subject: Subject, issue: z.core.$ZodIssueInvalidUnion, path: Path, value: unknown): Problem[] {
  const { discriminator } = issue;
  if (discriminator !== undefined && issue.errors.length === 0) {
    const named = path.at(-1) === discriminator ? path : [...path, discriminator];
    return [
      invalidValue(subject, named, valueAt(subject.value, named), choicesAt(subject.schema, subject.value, named)),
    ];
  }
  if (value === undefined) return [missing(subject, path, choicesAt(subject.schema, subject.value, path))];
  if (value === null) return [empty(subject, path)];
  const meant =
    issue.errors.find((errors) => !errors.some((error) => error.path.length === 0 && ROOT_CODES.has(error.code))) ??
    issue.errors.find((errors) => !errors.some((error) => error.path.length === 0 && error.code === "invalid_type"));
  if (meant !== undefined && meant.length > 0) return meant.flatMap((error) => issueProblems(subject, error, path));
  return [problem(subject, path, "VALUE_TYPE", `${named(path)} cannot be ${kindOf(value)}`, "")];
}

function rangeMessage(issue: z.core.$ZodIssueTooSmall | z.core.$ZodIssueTooBig): string {
  const unit = issue.origin === "string" ? " characters" : issue.origin === "array" ? " entries" : "";
  if (issue.code === "too_big") return `must be at most ${String(issue.maximum)}${unit}`;
  if (issue.minimum === 1 && unit !== "") return "must not be empty";
  return `must be ${issue.inclusive === false ? "more than" : "at least"} ${String(issue.minimum)}${unit}`;
}

function problem(
  subject: Subject,
  path: Path,
  code: string,
  message: string,
  hint: string,
  place: "key" | "value" = "value",
): Problem {
  const { source, document } = subject;
  const position = place === "key" ? source.keyAt(document, path) : source.valueAt(document, path);
  return { file: source.file, ...position, code, message, hint, severity: "error" };
}

function valueAt(root: unknown, path: Path): unknown {
  return path.reduce(memberOf, root);
}

/** `spec.modules[0].ref` */
export function dotted(path: Path): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === "number") return `${text}[${part}]`;
    return text === "" ? String(part) : `${text}.${String(part)}`;
  }, "");
}

function named(path: Path): string {
  return path.length === 0 ? "the document" : dotted(path);
}

/** What may be a secret written in clear is not repeated. */
function isHidden(issue: z.core.$ZodIssue): boolean {
  return issue.code === "custom" && issue.params?.["hidden"] === true;
}

function shown(value: unknown): string {
  return typeof value === "object" || value === undefined ? "" : `is ${print(value)} and `;
}

function print(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a map";
  return `${typeof value === "string" ? "text" : typeof value} ${print(value)}`;
}
