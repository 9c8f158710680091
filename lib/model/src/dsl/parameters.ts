import { canonicalJson } from "../canonical-json.ts";
import { resolveStatic, type StaticScope } from "../expression-resolution.ts";
import type { InputValue } from "../input-value.ts";
import type { Composition, Parameter } from "./composition.ts";
import type { Assembly, Environment } from "./environment.ts";
import { didYouMean } from "./nearest.ts";
import type { ParsedDocument } from "./parse.ts";
import { valueAt } from "./plain-value.ts";
import type { Problem } from "./problem.ts";
import { problemAtKey, problemAtValue, problemInside } from "./report.ts";

/** The parameters' values for one assembly: what the environment gives, else the default. */
export function resolveParameters(
  environment: ParsedDocument<Environment>,
  index: number,
  assembly: Assembly,
  composition: ParsedDocument<Composition>,
  scope: StaticScope,
  problems: Problem[],
): Record<string, InputValue> {
  const declared = composition.value.spec.parameters ?? {};
  const given = assembly.parameters ?? {};
  const path = ["spec", "compositions", index, "parameters"];
  const { name: compositionName } = composition.value.metadata;
  for (const name of Object.keys(given)) {
    if (Object.hasOwn(declared, name)) continue;
    const hint = didYouMean(
      name,
      () => Object.keys(declared),
      `declare it in ${composition.source.file}`,
      problems.length,
    );
    problems.push(
      problemAtKey(environment, [...path, name], {
        code: "PARAMETER_UNKNOWN",
        message: `the composition "${compositionName}" has no parameter "${name}"`,
        hint,
      }),
    );
  }
  const values: Record<string, InputValue> = {};
  for (const [name, parameter] of Object.entries(declared)) {
    const own = given[name];
    if (own === undefined) {
      if (parameter.default !== undefined) values[name] = parameter.default;
      else problems.push(missing(environment, index, compositionName, name));
      continue;
    }
    const { value, faults } = resolveStatic(own, scope);
    for (const fault of faults) {
      problems.push(
        problemInside(environment, [...path, name, ...fault.path], valueAt(own, fault.path), fault.offset, fault),
      );
    }
    const mismatch = faults.length > 0 ? undefined : parameterMismatch(parameter, value);
    if (mismatch !== undefined) {
      problems.push(
        problemAtValue(environment, [...path, name], {
          code: "PARAMETER_TYPE",
          message: `the parameter "${name}" ${mismatch}`,
          hint: `see ${composition.source.reference(composition.index, ["spec", "parameters", name])}`,
        }),
      );
    }
    values[name] = value;
  }
  return values;
}

function missing(environment: ParsedDocument<Environment>, index: number, composition: string, name: string): Problem {
  return problemAtValue(environment, ["spec", "compositions", index, "ref"], {
    code: "PARAMETER_MISSING",
    message: `the parameter "${name}" of the composition "${composition}" has no value`,
    hint: `add parameters: {${name}: …} here, or a default to the composition`,
  });
}

/** Why a value does not fit a parameter (`must be a number, not text`), or undefined when it does. */
export function parameterMismatch(parameter: Parameter, value: InputValue): string | undefined {
  const kind = kindOf(value);
  if (kind !== parameter.type)
    return `must be ${ARTICLES[parameter.type] ?? parameter.type}, not ${ARTICLES[kind] ?? kind}`;
  const { allowed } = parameter;
  if (allowed === undefined) return undefined;
  const text = canonicalJson(value);
  return allowed.some((choice) => canonicalJson(choice) === text)
    ? undefined
    : `must be one of ${allowed.map(canonicalJson).join(", ")}, not ${text}`;
}

const ARTICLES: Readonly<Record<string, string>> = {
  string: "text",
  number: "a number",
  boolean: "true or false",
  list: "a list",
  map: "a map",
};

function kindOf(value: InputValue): string {
  if (value === null) return "nothing";
  if (Array.isArray(value)) return "list";
  return typeof value === "object" ? "map" : typeof value;
}
