import { nearestName } from "./dsl/nearest.ts";
import { isSecretReference, parseSecretReference } from "./dsl/secret-reference.ts";
import {
  type ExpressionFault,
  formatReference,
  hasExpression,
  type OutputReference,
  parseTemplate,
  type Reference,
  type ValuePath,
} from "./expression.ts";
import { type InputValue, isInputNode, type OutputNode } from "./input-value.ts";

/** What an output reference turned out to mean in the place where it stands. */
export type OutputBinding = { readonly address: string } | { readonly fault: Omit<ExpressionFault, "offset"> };

/** What expressions can see. A name that is absent is undefined, and is a fault when it is used. */
export interface StaticScope {
  readonly environment: { readonly name: string; readonly tier: string } | undefined;
  readonly region: string | undefined;
  readonly variables: Readonly<Record<string, InputValue>> | undefined;
  readonly parameters: Readonly<Record<string, InputValue>> | undefined;
  /** node: becomes a secret node · text: stays text, to become a node where it is used · refuse: is a fault. */
  readonly secrets: "node" | "text" | "refuse";
  /** Absent where outputs cannot be used. */
  readonly bindOutput: ((reference: OutputReference) => OutputBinding) | undefined;
}

/** A fault and the string in which it is: `path` leads to it in the value that was resolved. */
export interface LocatedFault extends ExpressionFault {
  readonly path: ValuePath;
}

export interface Resolution {
  readonly value: InputValue;
  readonly faults: readonly LocatedFault[];
}

/**
 * Replaces every expression that is known before anything runs. A string that is one whole reference takes the
 * reference's value with its type; outputs and secrets become nodes; text with either inside becomes a template node.
 * Values that are put in are not searched for expressions again. A faulty string stays as it is. Never throws.
 */
export function resolveStatic(value: InputValue, scope: StaticScope): Resolution {
  const faults: LocatedFault[] = [];
  return { value: resolveValue(value, scope, [], faults), faults };
}

/** What has no expression in it is not copied. */
function resolveValue(
  value: InputValue,
  scope: StaticScope,
  path: (string | number)[],
  faults: LocatedFault[],
): InputValue {
  if (typeof value === "string") return hasExpression(value) ? resolveString(value, scope, path, faults) : value;
  if (typeof value !== "object" || value === null || isInputNode(value)) return value;
  let changed = false;
  const resolve = (member: InputValue, step: string | number): InputValue => {
    path.push(step);
    const resolved = resolveValue(member, scope, path, faults);
    path.pop();
    changed ||= resolved !== member;
    return resolved;
  };
  if (isList(value)) {
    const items = value.map(resolve);
    return changed ? items : value;
  }
  const members: [string, InputValue][] = [];
  for (const [key, member] of Object.entries<InputValue>(value)) members.push([key, resolve(member, key)]);
  return changed ? Object.fromEntries(members) : value;
}

function isList(value: InputValue): value is readonly InputValue[] {
  return Array.isArray(value);
}

function resolveString(text: string, scope: StaticScope, path: ValuePath, faults: LocatedFault[]): InputValue {
  const before = faults.length;
  const fault = (found: Omit<ExpressionFault, "offset">): void => {
    faults.push({ ...found, offset: 0, path: [...path] });
  };
  const parsed = parseTemplate(text);
  if (!parsed.ok) {
    for (const found of parsed.faults) faults.push({ ...found, path: [...path] });
    return text;
  }
  const parts = parsed.template.map((part) =>
    typeof part === "string" ? part : asSecret(resolveReference(part, scope, fault), scope, fault),
  );
  if (faults.length > before) return text;
  const [only] = parts;
  const isWhole = parts.length === 1 && typeof parsed.template[0] !== "string";
  return isWhole && only !== undefined ? only : joinParts(text, parts, scope, fault);
}

type Report = (fault: Omit<ExpressionFault, "offset">) => void;

function joinParts(text: string, parts: readonly InputValue[], scope: StaticScope, fault: Report): InputValue {
  const joined: InputValue[] = [];
  for (const part of parts) {
    if (isText(part)) {
      const last = joined.at(-1);
      if (typeof last === "string") joined[joined.length - 1] = last + String(part);
      else joined.push(String(part));
    } else if (isNode(part)) joined.push(part);
    else {
      const what = part === null ? "null" : Array.isArray(part) ? "a list" : "a map";
      fault({
        code: "EXPRESSION_MISPLACED",
        message: `${what} cannot be put into text`,
        hint: "let the expression be the whole value, or choose a part of it",
      });
      return text;
    }
  }
  if (joined.length === 0) return "";
  const [only] = joined;
  if (joined.length === 1 && typeof only === "string") return asSecret(only, scope, fault);
  if (typeof only === "string" && isSecretReference(only)) {
    fault({
      code: "EXPRESSION_MISPLACED",
      message: "a secret's path cannot have outputs in it",
      hint: "use variables and parameters only",
    });
    return text;
  }
  return { $xcf: "template", parts: joined };
}

function asSecret(value: InputValue, scope: StaticScope, fault: Report): InputValue {
  if (typeof value !== "string" || !isSecretReference(value)) return value;
  if (scope.secrets === "text") return value;
  if (scope.secrets === "refuse") {
    fault({
      code: "EXPRESSION_MISPLACED",
      message: "a secret cannot be used here",
      hint: "secrets belong to a module's inputs",
    });
    return value;
  }
  if (parseSecretReference(value) === undefined) {
    fault({
      code: "SECRET_SYNTAX",
      message: `"${value.slice(0, 100)}" is no secret reference`,
      hint: "write secret://<backend>/<path>#<key>",
    });
    return value;
  }
  return { $xcf: "secret", ref: value };
}

function isText(value: InputValue): value is string | number | boolean {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean";
}

function isNode(value: InputValue): boolean {
  return typeof value === "object" && value !== null && "$xcf" in value;
}

function resolveReference(reference: Reference, scope: StaticScope, fault: Report): InputValue {
  switch (reference.kind) {
    case "env":
      if (scope.environment === undefined) return misplaced(reference, fault);
      return scope.environment[reference.field];
    case "region":
      if (scope.region !== undefined) return scope.region;
      fault({
        code: "EXPRESSION_UNDEFINED",
        message: `\${region} has no value here`,
        hint: "give the composition regions in the environment",
      });
      return null;
    case "var":
      return lookUp(reference, scope.variables, "the environment's variables", fault);
    case "param":
      return lookUp(reference, scope.parameters, "the composition's parameters", fault);
    case "outputs":
      return bind(reference, scope, fault);
  }
}

function misplaced(reference: Reference, fault: Report): null {
  fault({ code: "EXPRESSION_MISPLACED", message: `\${${formatReference(reference)}} cannot be used here`, hint: "" });
  return null;
}

function lookUp(
  reference: Extract<Reference, { kind: "var" | "param" }>,
  values: Readonly<Record<string, InputValue>> | undefined,
  where: string,
  fault: Report,
): InputValue {
  if (values === undefined) return misplaced(reference, fault);
  let value: InputValue | undefined = Object.hasOwn(values, reference.name) ? values[reference.name] : undefined;
  if (value === undefined) {
    fault({
      code: reference.kind === "var" ? "VARIABLE_UNDEFINED" : "PARAMETER_UNDEFINED",
      message: `\${${reference.kind}.${reference.name}} is not defined`,
      hint: nearHint(reference.name, values, where),
    });
    return null;
  }
  for (const step of reference.path) {
    value = member(value, step);
    if (value === undefined) {
      fault({
        code: "EXPRESSION_UNDEFINED",
        message: `\${${formatReference(reference)}} leads to nothing`,
        hint: `look at ${reference.name} in ${where}`,
      });
      return null;
    }
  }
  return value;
}

function member(value: InputValue, step: string | number): InputValue | undefined {
  if (Array.isArray(value)) return typeof step === "number" ? value[step] : undefined;
  if (typeof value !== "object" || value === null || typeof step === "number" || !Object.hasOwn(value, step))
    return undefined;
  const found: InputValue = Reflect.get(value, step);
  return found;
}

function nearHint(name: string, values: Readonly<Record<string, unknown>>, where: string): string {
  const nearest = nearestName(name, Object.keys(values));
  return nearest === undefined ? `add it to ${where}` : `did you mean "${nearest}"?`;
}

function bind(reference: OutputReference, scope: StaticScope, fault: Report): InputValue {
  if (scope.bindOutput === undefined) return misplaced(reference, fault);
  const binding = scope.bindOutput(reference);
  if ("fault" in binding) {
    fault(binding.fault);
    return null;
  }
  const node: OutputNode = { $xcf: "output", address: binding.address, output: reference.output };
  return reference.path.length === 0 ? node : { ...node, path: reference.path };
}
