import { isSecretReference } from "./dsl/secret-reference.ts";
import type { InputValue } from "./input-value.ts";

/** A path into a value: `.name` and `[0]`. */
export type ValuePath = readonly (string | number)[];

/** What stands between `${` and `}`. */
export type Reference =
  | { readonly kind: "env"; readonly field: "name" | "tier" }
  | { readonly kind: "region" }
  | { readonly kind: "var"; readonly name: string; readonly path: ValuePath }
  | { readonly kind: "param"; readonly name: string; readonly path: ValuePath }
  | OutputReference;

/** `outputs.[<environment>:]<composition>[@<region>].<module>.<output>[path]` */
export interface OutputReference {
  readonly kind: "outputs";
  readonly environment: string | undefined;
  readonly composition: string;
  readonly region: string | undefined;
  readonly module: string;
  readonly output: string;
  readonly path: ValuePath;
}

/** A string taken apart: literal text (escapes resolved) and references, in order. Empty for an empty string. */
export type Template = readonly (string | Reference)[];

/** What is wrong with an expression, where (an offset into the string), and what to do. */
export interface ExpressionFault {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
  readonly offset: number;
}

export type TemplateResult =
  | { readonly ok: true; readonly template: Template }
  | { readonly ok: false; readonly faults: readonly ExpressionFault[] };

const NAME = "[a-z0-9][a-z0-9-]{0,62}";
const IDENTIFIER = "[A-Za-z_][A-Za-z0-9_-]{0,127}";
const STEPS = `((?:\\.${IDENTIFIER}|\\[\\d{1,9}\\])*)`;
const VALUE_PATTERN = new RegExp(`^(var|param)\\.(${IDENTIFIER})${STEPS}$`);
const OUTPUT_PATTERN = new RegExp(
  `^outputs\\.(?:(${NAME}):)?(${NAME})(?:@(${NAME}))?\\.(${NAME})\\.(${IDENTIFIER})${STEPS}$`,
);
const STEP_PATTERN = new RegExp(`\\.(${IDENTIFIER})|\\[(\\d+)\\]`, "g");

/** Whether a string needs more than being copied. Cheap, since almost no string does. */
export function hasExpression(text: string): boolean {
  return text.includes("${") || isSecretReference(text);
}

/** Takes a string apart. `$${` is the text `${`; a `$` before anything else is a `$`. Never throws. */
export function parseTemplate(text: string): TemplateResult {
  const parts: (string | Reference)[] = [];
  const faults: ExpressionFault[] = [];
  let literal = "";
  let at = 0;
  while (at < text.length) {
    const open = text.indexOf("${", at);
    if (open < 0) {
      literal += text.slice(at);
      break;
    }
    if (open > at && text[open - 1] === "$") {
      literal += `${text.slice(at, open - 1)}\${`;
      at = open + 2;
      continue;
    }
    literal += text.slice(at, open);
    const close = text.indexOf("}", open);
    if (close < 0) {
      faults.push({
        code: "EXPRESSION_SYNTAX",
        message: '"${" is not closed',
        hint: 'add "}", or write $${ for the text itself',
        offset: open,
      });
      break;
    }
    const found = parseReference(text.slice(open + 2, close), open);
    if ("code" in found) faults.push(found);
    else {
      if (literal !== "") parts.push(literal);
      literal = "";
      parts.push(found);
    }
    at = close + 1;
  }
  if (faults.length > 0) return { ok: false, faults };
  if (literal !== "") parts.push(literal);
  return { ok: true, template: parts };
}

function parseReference(inner: string, offset: number): Reference | ExpressionFault {
  const text = inner.trim();
  if (text === "region") return { kind: "region" };
  if (text === "env.name" || text === "env.tier") return { kind: "env", field: text === "env.name" ? "name" : "tier" };
  const [, root, name, steps] = VALUE_PATTERN.exec(text) ?? [];
  if (name !== undefined) return { kind: root === "var" ? "var" : "param", name, path: parseSteps(steps) };
  const [, environment, composition, region, module, output, path] = OUTPUT_PATTERN.exec(text) ?? [];
  if (composition !== undefined && module !== undefined && output !== undefined) {
    return { kind: "outputs", environment, composition, region, module, output, path: parseSteps(path) };
  }
  return explainReference(text, offset);
}

function parseSteps(text: string | undefined): ValuePath {
  if (text === undefined || text === "") return [];
  return [...text.matchAll(STEP_PATTERN)].map(([, name, index]) => name ?? Number(index));
}

function explainReference(text: string, offset: number): ExpressionFault {
  const shown = text.length > 80 ? `${text.slice(0, 77)}…` : text;
  const root = /^[A-Za-z]*/.exec(text)?.[0] ?? "";
  const syntax = (hint: string): ExpressionFault => {
    return { code: "EXPRESSION_SYNTAX", message: `\${${shown}} is not well-formed`, hint, offset };
  };
  if (root === "env") return syntax(`write \${env.name} or \${env.tier}`);
  if (root === "var" || root === "param") return syntax(`write \${${root}.<name>}`);
  if (root === "outputs") return syntax(`write \${outputs.<composition>.<module>.<output>}`);
  return {
    code: "EXPRESSION_UNKNOWN",
    message: `\${${shown}} means nothing`,
    hint: "there are env, region, var, param and outputs; write $${ for the text itself",
    offset,
  };
}

/** The text of a template, such that parsing it gives the template again. */
export function formatTemplate(template: Template): string {
  return template
    .map((part) => (typeof part === "string" ? part.replaceAll("${", () => "$${") : `\${${formatReference(part)}}`))
    .join("");
}

export function formatReference(reference: Reference): string {
  switch (reference.kind) {
    case "region":
      return "region";
    case "env":
      return `env.${reference.field}`;
    case "var":
    case "param":
      return `${reference.kind}.${reference.name}${formatSteps(reference.path)}`;
    case "outputs": {
      const environment = reference.environment === undefined ? "" : `${reference.environment}:`;
      const region = reference.region === undefined ? "" : `@${reference.region}`;
      return `outputs.${environment}${reference.composition}${region}.${reference.module}.${reference.output}${formatSteps(reference.path)}`;
    }
  }
}

function formatSteps(path: ValuePath): string {
  return path.map((step) => (typeof step === "number" ? `[${step}]` : `.${step}`)).join("");
}

/** Every output a value refers to, faulty strings skipped: `resolveStatic` reports those. */
export function outputReferences(value: InputValue): OutputReference[] {
  const found: OutputReference[] = [];
  collectOutputs(value, found);
  return found;
}

function collectOutputs(value: InputValue, found: OutputReference[]): void {
  if (typeof value === "string") {
    if (!value.includes("${")) return;
    const result = parseTemplate(value);
    if (!result.ok) return;
    for (const part of result.template) if (typeof part !== "string" && part.kind === "outputs") found.push(part);
  } else if (typeof value === "object" && value !== null) {
    for (const member of Object.values(value)) collectOutputs(member, found);
  }
}
