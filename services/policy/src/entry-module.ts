import type { Namespace } from "./rule-index.ts";

/** A module of ours beside a bundle's own; `id` is its name in OPA's policy API. */
export interface EntryModule {
  readonly id: string;
  readonly text: string;
}

/** A bundle may be of version 0, and then OPA reads our modules as such too unless they say otherwise. */
const RULES_OF_V1 = "import rego.v1";

/**
 * The package our modules live in. It contains the bundle's digest, so no file of the bundle can be written to add rules
 * to it.
 */
export function entryPackage(revision: string): string {
  return `xcf_${revision.replace(/^sha256:/, "")}`;
}

/**
 * One namespace's rules and exceptions as one document. `found` lacks the rules that are undefined; `waived` has one
 * element per exception that names the rule, as conftest's query `data.<namespace>.exception[_][_] == "<rule>"` has results.
 */
export function namespaceModule(revision: string, index: number, namespace: Namespace): EntryModule {
  const { ref, rules, speaks } = namespace;
  // A package without a rule is undefined, and so would be every document it is part of.
  const lines = [`package ${entryPackage(revision)}.n${index}`, "", RULES_OF_V1, "", "asked := true"];
  for (const { name } of rules) {
    lines.push(`found[${JSON.stringify(name)}] := ${ref}.${name}`);
    lines.push(`waived[${JSON.stringify(name)}] := [1 | ${exceptionQuery(namespace, name)}]`);
  }
  for (const name of speaks) lines.push(`spoken[${JSON.stringify(name)}] := ${ref}.${name}`);
  return { id: `xcf/n${index}`, text: `${lines.join("\n")}\n` };
}

/** conftest's own query for an exception; it also is the message of the exception that it reports. */
export function exceptionQuery({ ref }: Namespace, rule: string): string {
  return `${ref}.exception[_][_] == ${JSON.stringify(withoutSeverity(rule))}`;
}

function withoutSeverity(rule: string): string {
  return /^(?:violation|deny|warn)$/.test(rule) ? "" : rule.replace(/^(?:violation|deny|warn)_/, "");
}

/** Path of the document that `askModule` defines, below `/v1/data/`. */
export function askPath(revision: string, indexes: readonly number[]): string {
  return `${entryPackage(revision)}/${askName(indexes)}/answers`;
}

/**
 * Asks some namespaces about every item of `input.items` in one query. All rules of a namespace are read within one
 * `with`, so that helper rules they share are evaluated once an item.
 */
export function askModule(revision: string, indexes: readonly number[]): EntryModule {
  const members = indexes.map((index) => `"${index}": data.${entryPackage(revision)}.n${index}`);
  const text = `package ${entryPackage(revision)}.${askName(indexes)}

${RULES_OF_V1}

document := {${members.join(", ")}}

answers := [answer |
	some item in input.items
	answer := document with input as item.document with data.conftest.file as item.file
]
`;
  return { id: `xcf/${askName(indexes)}`, text };
}

function askName(indexes: readonly number[]): string {
  return `ask_${indexes.join("_")}`;
}
