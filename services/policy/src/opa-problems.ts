import type { Problem } from "@xcloudflow/model/problems-found-error";
import { z } from "zod";
import { REMOVED_BUILTINS } from "./opa-capabilities.ts";
import { TO_DATA } from "./opa-files.ts";
import { severityOf } from "./rule-index.ts";

const locationSchema = z.looseObject({ file: z.string(), row: z.number().int(), col: z.number().int() });
const errorSchema = z.looseObject({ message: z.string(), code: z.string(), location: locationSchema.optional() });
const errorsSchema = z.looseObject({ errors: z.array(errorSchema) });

/**
 * The problems in what `opa check --format json` printed. Removed built-ins, which OPA calls undefined functions, are said
 * to be removed and why.
 *
 * @throws when it is not that: then OPA failed for another reason than the policies.
 */
export function readCheckErrors(output: string): Problem[] {
  return errorsSchema.parse(JSON.parse(output)).errors.map(({ message, code, location }) => {
    const removed = REMOVED_BUILTINS.get(/^undefined function (\S+)$/.exec(message)?.[1] ?? "");
    return {
      ...placeOf(location),
      code: removed === undefined ? upperSnake(code) : "POLICY_BUILTIN_REMOVED",
      message: removed === undefined ? message : message.replace("undefined function ", "policies may not use "),
      hint: removed === undefined ? hintOf(message) : `${removed}; put what the policy needs into its data`,
      severity: "error",
    };
  });
}

const loadErrorsSchema = z.looseObject({
  errors: z.array(z.looseObject({ message: z.string(), location: locationSchema.optional() })),
});

/** The problems in what `opa eval --format json` printed when data files cannot be read, or contradict each other or a rule. */
export function readDataErrors(output: string): Problem[] {
  return loadErrorsSchema.parse(JSON.parse(output)).errors.map(({ message, location }) => {
    const code = "POLICY_DATA_INVALID";
    if (location !== undefined) return { ...placeOf(location), code, message, hint: undefined, severity: "error" };
    const text = message.replaceAll(TO_DATA, "");
    const split = text.indexOf(": ");
    const line = Number(/\bline (\d+)/.exec(text)?.[1] ?? 0);
    const place = { file: text.slice(0, split), line, col: Math.min(line, 1) };
    return { ...place, code, message: text.slice(split + 2), hint: undefined, severity: "error" };
  });
}

const inspectSchema = z.looseObject({
  annotations: z
    .array(z.looseObject({ annotations: z.unknown(), location: locationSchema.optional() }))
    .nullish()
    .transform((list) => list ?? []),
});

/**
 * Schemas in annotations that refer to anything but themselves, from the output of `opa inspect --annotations`: OPA would
 * read whatever file or address a pull request names while it checks.
 */
export function readForeignSchemas(output: string): Problem[] {
  return inspectSchema.parse(JSON.parse(output)).annotations.flatMap(({ annotations, location }): Problem[] => {
    const foreign = findReferences(annotations).find((reference) => !reference.startsWith("#"));
    if (foreign === undefined) return [];
    const message = `the schema refers to ${foreign}`;
    const hint = "a schema may only refer to itself (#/…); write the definition out";
    return [{ ...placeOf(location), code: "POLICY_SCHEMA_FOREIGN", message, hint, severity: "error" }];
  });
}

function findReferences(value: unknown): string[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, member]: [string, unknown]) =>
    ["$ref", "$id", "id"].includes(key) && typeof member === "string" ? [member] : findReferences(member),
  );
}

const testResultSchema = z.looseObject({
  location: locationSchema.optional(),
  package: z.string(),
  name: z.string(),
  fail: z.boolean().optional(),
  skip: z.boolean().optional(),
  error: errorSchema.optional(),
  output: z.base64().optional(),
});

/** What `opa test --format json` printed: problems for the tests that failed, stopped or are skipped, and how many passed. */
export function readTestResults(output: string): { readonly problems: Problem[]; readonly passed: number } {
  const results = z.array(testResultSchema).nullable().parse(JSON.parse(output)) ?? [];
  const problems = results.flatMap((result): Problem[] => {
    const { error, fail, skip, location, name } = result;
    const printed = result.output === undefined ? "" : Buffer.from(result.output, "base64").toString().trim();
    const hint = printed === "" ? undefined : `it printed: ${printed}`;
    if (error !== undefined) {
      const message = `${name} stopped with an error: ${error.message}`;
      return [{ ...placeOf(error.location ?? location), code: "POLICY_TEST_ERROR", message, hint, severity: "error" }];
    }
    if (fail) {
      return [{ ...placeOf(location), code: "POLICY_TEST_FAILED", message: `${name} failed`, hint, severity: "error" }];
    }
    if (!skip) return [];
    return [
      {
        ...placeOf(location),
        code: "POLICY_TEST_SKIPPED",
        message: `${name} is skipped`,
        hint: "rename it to test_… to run it",
        severity: "warning",
      },
    ];
  });
  return { problems, passed: results.filter(({ error, fail, skip }) => error === undefined && !fail && !skip).length };
}

/** Whether a file may hold what `readDoubtfulRules` finds; cheap, and never wrongly false. */
export function mayHaveDoubtfulRules(text: string): boolean {
  return /\b(deny|violation|warn)[a-zA-Z0-9_]*\s*[[.]/.test(text);
}

const parsedSchema = z.looseObject({
  rules: z
    .array(
      z.looseObject({
        location: locationSchema.optional(),
        head: z.looseObject({
          name: z.string().optional(),
          value: z.looseObject({ value: z.unknown() }).optional(),
          ref: z.array(z.looseObject({ value: z.unknown() })).default([]),
        }),
      }),
    )
    .default([]),
});

/**
 * `deny[msg] if {…}` in Rego v1 is a map from messages to true, not a set of messages: the rule would never deny. conftest
 * refuses it, so do we. Takes the output of `opa parse --format json --json-include locations`.
 */
export function readDoubtfulRules(file: string, output: string): Problem[] {
  return parsedSchema.parse(JSON.parse(output)).rules.flatMap(({ head, location }): Problem[] => {
    const name = head.ref[0]?.value;
    const isMap = (head.name ?? "") === "" && head.value?.value === true;
    if (!isMap || typeof name !== "string" || severityOf(name) === undefined) return [];
    const message = `${name} is a map, so it would never find anything`;
    return [
      {
        ...placeOf(location),
        file,
        code: "POLICY_RULE_IS_MAP",
        message,
        hint: `write \`${name} contains … if\``,
        severity: "error",
      },
    ];
  });
}

function placeOf(location: z.infer<typeof locationSchema> | undefined): Pick<Problem, "file" | "line" | "col"> {
  return { file: location?.file ?? "", line: location?.row ?? 0, col: location?.col ?? 0 };
}

function hintOf(message: string): string | undefined {
  if (!/`(if|contains)` keyword is required/.test(message)) return undefined;
  return 'this is Rego v0: rewrite it by `opa fmt --v0-v1 -w`, or put {"rego_version": 0} into policies/.manifest';
}

function upperSnake(code: string): string {
  return code.toUpperCase().replaceAll(/[^A-Z0-9]+/g, "_");
}
