import { z } from "zod";

/** A rule that judges, and how often it is defined: conftest counts each definition that finds nothing as a success. */
export interface JudgingRule {
  readonly name: string;
  readonly severity: "failure" | "warning";
  readonly definitions: number;
}

export interface Namespace {
  /** As people write it: `main`, `terraform.aws`. */
  readonly name: string;
  /** The package as a reference in Rego: `data.main`. */
  readonly ref: string;
  readonly rules: readonly JudgingRule[];
  /** Rules that do not judge: about gates and provisional plans, and what the decision log masks (`system.log`). */
  readonly speaks: readonly SpokenRule[];
}

export const SPOKEN_RULES = ["tighten", "sensitive_paths", "mask"] as const;
export type SpokenRule = (typeof SPOKEN_RULES)[number];

export interface RuleIndex {
  /** Ordered by the file that first declares each, then as declared. */
  readonly namespaces: readonly Namespace[];
}

const termSchema = z.looseObject({ type: z.string(), value: z.unknown() });
const ruleSchema = z.looseObject({
  head: z.looseObject({
    name: z.string().optional(),
    ref: z.array(termSchema).default([]),
  }),
});
const moduleSchema = z.looseObject({
  package: z.looseObject({ path: z.array(termSchema) }),
  rules: z.array(ruleSchema).default([]),
});

/** OPA's answer to `GET /v1/policies`. */
export const policiesAnswerSchema = z.looseObject({
  result: z.array(z.looseObject({ id: z.string(), ast: moduleSchema })),
});
export type PoliciesAnswer = z.infer<typeof policiesAnswerSchema>;
type Rule = z.infer<typeof ruleSchema>;

const FAILURE = /^(deny|violation)(_[a-zA-Z0-9]+)*$/;
const WARNING = /^warn(_[a-zA-Z0-9]+)*$/;

/** What a bundle's modules judge, read from OPA's own syntax trees. */
export function indexRules({ result }: PoliciesAnswer): RuleIndex {
  const namespaces = new Map<string, { ref: string; rules: Map<string, JudgingRule>; speaks: Set<SpokenRule> }>();
  for (const { ast } of [...result].sort((a, b) => (a.id < b.id ? -1 : 1))) {
    const ref = formatRef(ast.package.path);
    const name = ref.replace(/^data\.?/, "");
    const namespace = namespaces.get(name) ?? { ref, rules: new Map(), speaks: new Set() };
    namespaces.set(name, namespace);
    for (const rule of ast.rules) {
      addRule(namespace.rules, rule);
      for (const spoken of SPOKEN_RULES) if (firstPart(rule) === spoken) namespace.speaks.add(spoken);
    }
  }
  return {
    namespaces: [...namespaces].map(([name, { ref, rules, speaks }]) => ({
      name,
      ref,
      rules: [...rules.values()],
      speaks: [...speaks],
    })),
  };
}

function addRule(rules: Map<string, JudgingRule>, rule: Rule): void {
  const name = rule.head.name ?? "";
  const severity = severityOf(name);
  if (severity === undefined) return;
  rules.set(name, { name, severity, definitions: (rules.get(name)?.definitions ?? 0) + 1 });
}

/** Whether conftest would ask a rule of this name, and what its findings are. */
export function severityOf(name: string): JudgingRule["severity"] | undefined {
  if (FAILURE.test(name)) return "failure";
  return WARNING.test(name) ? "warning" : undefined;
}

function firstPart(rule: Rule): string {
  const first = rule.head.ref[0]?.value ?? rule.head.name;
  return typeof first === "string" ? first : "";
}

const IDENTIFIER = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

function formatRef(path: readonly z.infer<typeof termSchema>[]): string {
  return path
    .map(({ value }, index) => {
      if (typeof value !== "string") return `[${JSON.stringify(value)}]`;
      if (index === 0) return value;
      return IDENTIFIER.test(value) ? `.${value}` : `[${JSON.stringify(value)}]`;
    })
    .join("");
}
