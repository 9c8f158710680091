import { z } from "zod";
import { exceptionQuery } from "./entry-module.ts";
import { PolicyResultInvalidError } from "./policy-errors.ts";
import type { Namespace } from "./rule-index.ts";

/** One result of a rule, in the shape of conftest's `--output json`. */
export interface CheckFinding {
  readonly msg: string;
  readonly loc?: { readonly file?: string; readonly line?: number };
  readonly metadata?: Readonly<Record<string, unknown>>;
}

/** What a namespace says about one document. Exceptions are waived rules; a waived rule's findings are not reported. */
export interface Check {
  readonly namespace: string;
  readonly successes: number;
  readonly failures: readonly Judged[];
  readonly warnings: readonly Judged[];
  readonly exceptions: readonly CheckFinding[];
}

export interface Judged extends CheckFinding {
  readonly rule: string;
}

/** What OPA answers for one namespace; see `namespaceModule`. */
export const namespaceAnswerSchema = z.looseObject({
  found: z.record(z.string(), z.unknown()).default({}),
  waived: z.record(z.string(), z.array(z.unknown())).default({}),
  spoken: z.record(z.string(), z.unknown()).default({}),
});
export type NamespaceAnswer = z.infer<typeof namespaceAnswerSchema>;

/**
 * Turns rule values into findings by conftest's rules, those that surprise included: only sets and arrays hold findings
 * (a rule whose value is a string or object has passed), members that are neither strings nor objects are passed over, an
 * empty message is a success, and each definition of a rule that reports nothing counts as a success.
 *
 * @throws {PolicyResultInvalidError} when an object has no `msg` that is a string.
 */
export function judge(namespace: Namespace, { found, waived }: NamespaceAnswer): Check {
  const failures: Judged[] = [];
  const warnings: Judged[] = [];
  const exceptions: CheckFinding[] = [];
  let passed = 0;
  for (const { name, severity } of namespace.rules) {
    const waivers = waived[name] ?? [];
    exceptions.push(...waivers.map(() => ({ msg: exceptionQuery(namespace, name) })));
    if (waivers.length > 0 || !(name in found)) continue;
    for (const finding of readFindings(namespace, name, found[name])) {
      if (finding.msg === "") passed += 1;
      else (severity === "failure" ? failures : warnings).push(finding);
    }
  }
  const definitions = namespace.rules.reduce((sum, rule) => sum + rule.definitions, 0);
  const reported = failures.length + warnings.length + exceptions.length;
  const successes = Math.max(passed, definitions - reported);
  return { namespace: namespace.name, successes, failures, warnings, exceptions };
}

function readFindings(namespace: Namespace, rule: string, value: unknown): Judged[] {
  if (!Array.isArray(value) || value.length === 0) return [{ rule, msg: "" }];
  const members: readonly unknown[] = value;
  const query = `${namespace.ref}.${rule}`;
  return members.flatMap((member) => {
    if (typeof member === "string") return [{ rule, msg: member, metadata: { query } }];
    return isRecord(member) ? [readObject(rule, query, member)] : [];
  });
}

function readObject(rule: string, query: string, { msg, _loc, ...rest }: Record<string, unknown>): Judged {
  if (typeof msg !== "string") {
    throw new PolicyResultInvalidError(query, 'a result has no "msg" that is a string', 'add "msg" to the object');
  }
  const loc = readLocation(_loc);
  return { rule, msg, ...(loc === undefined ? {} : { loc }), metadata: { ...rest, query } };
}

function readLocation(value: unknown): CheckFinding["loc"] {
  if (!isRecord(value)) return undefined;
  const { file, line } = value;
  const location = {
    ...(typeof file === "string" && file !== "" ? { file } : {}),
    ...(typeof line === "number" ? { line } : {}),
  };
  return Object.keys(location).length === 0 ? undefined : location;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The checks of several documents of one file (YAML documents, elements of a JSON array) as one, as conftest adds them up. */
export function addChecks(namespace: string, checks: readonly Check[]): Check {
  return {
    namespace,
    successes: checks.reduce((sum, check) => sum + check.successes, 0),
    failures: checks.flatMap(({ failures }) => failures),
    warnings: checks.flatMap(({ warnings }) => warnings),
    exceptions: checks.flatMap(({ exceptions }) => exceptions),
  };
}
