import type { JsonValue } from "../json-value.ts";
import { LIMITS } from "./limits.ts";
import type { Problem } from "./problem.ts";
import type { Source } from "./source.ts";

/** Keys with a meaning of their own in JavaScript or in the input tree; nobody may write them. */
const FORBIDDEN_KEYS: ReadonlySet<string> = new Set(["__proto__", "$xcf"]);

interface Measure {
  readonly source: Source;
  document: number;
  readonly problems: Problem[];
  readonly path: (string | number)[];
  values: number;
  references: number;
  stopped: boolean;
}

/**
 * Walks the values of a file once and reports what JSON cannot hold, keys that nobody may use, and the limits that aliases could
 * break: depth, number of values, number of expressions. Stops at the first limit.
 */
export function measureValues(source: Source, values: readonly JsonValue[], problems: Problem[]): void {
  const measure: Measure = { source, document: 0, problems, path: [], values: 0, references: 0, stopped: false };
  for (const [document, value] of values.entries()) {
    measure.document = document;
    walk(measure, value);
  }
}

function walk(measure: Measure, value: JsonValue): void {
  measure.values += 1;
  if (measure.values > LIMITS.values)
    stop(measure, `the file has more than ${LIMITS.values} values`, "do not multiply values by aliases");
  if (measure.stopped) return;
  if (typeof value === "string") measureString(measure, value);
  else if (typeof value === "number") measureNumber(measure, value);
  else if (typeof value === "object" && value !== null) measureCollection(measure, value);
}

function measureString(measure: Measure, text: string): void {
  for (let at = text.indexOf("${"); at >= 0; at = text.indexOf("${", at + 2)) measure.references += 1;
  if (measure.references > LIMITS.references) {
    stop(measure, `the file has more than ${LIMITS.references} expressions`, "split the file");
  }
}

function measureNumber(measure: Measure, value: number): void {
  if (Number.isSafeInteger(value) || (!Number.isInteger(value) && Number.isFinite(value))) return;
  if (Number.isFinite(value))
    report(
      measure,
      "NUMBER_INEXACT",
      "this number is too large to be kept exactly",
      "put it in quotes to keep its digits",
    );
  else
    report(
      measure,
      "NUMBER_INVALID",
      "infinity and not-a-number are no values here",
      "write a number, or put it in quotes",
    );
}

function measureCollection(measure: Measure, value: object): void {
  if (measure.path.length >= LIMITS.depth) {
    stop(
      measure,
      `maps and lists are nested deeper than ${LIMITS.depth}`,
      "an alias must not contain itself; flatten the structure",
    );
    return;
  }
  if (Array.isArray(value)) {
    const items: readonly JsonValue[] = value;
    for (let index = 0; index < items.length; index += 1) descend(measure, index, items[index] ?? null);
    return;
  }
  for (const [key, member] of Object.entries(value)) {
    if (FORBIDDEN_KEYS.has(key)) {
      measure.path.push(key);
      report(measure, "KEY_FORBIDDEN", `the key "${key}" is reserved`, "rename it", "key");
      measure.path.pop();
    }
    descend(measure, key, member);
  }
}

function descend(measure: Measure, key: string | number, value: JsonValue): void {
  measure.path.push(key);
  walk(measure, value);
  measure.path.pop();
}

function report(measure: Measure, code: string, message: string, hint: string, place: "key" | "value" = "value"): void {
  if (measure.problems.length <= LIMITS.problems) tell(measure, code, message, hint, place);
}

function tell(measure: Measure, code: string, message: string, hint: string, place: "key" | "value"): void {
  const { source, document, path } = measure;
  const position = place === "key" ? source.keyAt(document, path) : source.valueAt(document, path);
  measure.problems.push({ file: source.file, ...position, code, message, hint, severity: "error" });
}

function stop(measure: Measure, message: string, hint: string): void {
  if (!measure.stopped) tell(measure, "LIMIT_EXCEEDED", message, hint, "value");
  measure.stopped = true;
}
