import { canonicalJson } from "@xcloudflow/model/canonical-json";
import type { Finding, PolicyVerdict } from "@xcloudflow/model/change-set";
import type { JsonObject } from "@xcloudflow/model/json-value";
import { z } from "zod";
import type { NamespaceReply } from "./bundle-evaluator.ts";
import { type Judged, judge } from "./conftest-conventions.ts";
import { PolicyResultInvalidError } from "./policy-errors.ts";
import type { SpokenRule } from "./rule-index.ts";

/** A policy's demand for a stricter gate; there is no way to ask for a looser one. */
export interface Tightening {
  /** Empty: every unit of the ChangeSet. */
  readonly unit: string;
  readonly gate: "forced" | "environment";
  /** None: the environment's own approvers. */
  readonly groups: readonly string[];
  /** 0: as the gate has it. */
  readonly quorum: number;
  readonly reason: string;
}

/** A value no provisional plan may leave unknown. */
export interface SensitivePath {
  readonly unit: string;
  /** Resource address, or `*`. */
  readonly resource: string;
  /** Inside `after`, dot separated, `*` for any one part. */
  readonly path: string;
}

/** What one revision says about one subject; `unit` is empty for the ChangeSet as a whole. */
export interface SubjectReply {
  readonly revision: string;
  readonly unit: string;
  readonly replies: readonly NamespaceReply[];
}

/** What one revision says about one subject, understood. */
export interface SubjectDecision {
  readonly revision: string;
  readonly unit: string;
  readonly denials: readonly Finding[];
  readonly warnings: readonly Finding[];
  /** Messages of the exceptions that waived rules. */
  readonly exceptions: readonly string[];
  readonly successes: number;
  readonly tightenings: readonly Tightening[];
  readonly sensitivePaths: readonly SensitivePath[];
}

/** @throws {PolicyResultInvalidError} when a rule's results do not have the shape its name promises. */
export function decideSubject({ revision, unit, replies }: SubjectReply): SubjectDecision {
  const checks = replies.map(({ namespace, answer }) => judge(namespace, answer));
  const findings = (key: "failures" | "warnings"): Finding[] =>
    checks.flatMap((check) => check[key].map((judged) => toFinding(revision, unit, check.namespace, judged)));
  const spoken = (rule: SpokenRule): Spoken[] =>
    replies.flatMap(({ namespace, answer }) => listSpoken(`${namespace.ref}.${rule}`, answer.spoken[rule]));
  return {
    revision,
    unit,
    denials: findings("failures"),
    warnings: findings("warnings"),
    exceptions: checks.flatMap(({ exceptions }) => exceptions.map(({ msg }) => msg)),
    successes: checks.reduce((sum, { successes }) => sum + successes, 0),
    tightenings: spoken("tighten").map((demand) => readTightening(unit, demand)),
    sensitivePaths: spoken("sensitive_paths").map((path) => readSensitivePath(unit, path)),
  };
}

/** Everything that any revision says about any subject, each thing once: whatever one denies is denied. */
export interface CombinedDecision {
  readonly verdict: PolicyVerdict;
  readonly tightenings: readonly Tightening[];
  readonly sensitivePaths: readonly SensitivePath[];
}

/**
 * The stricter of all decisions. What several revisions find alike is reported once, as found by the one asked first (the
 * governing one).
 *
 * @param revisions those that were asked, in order; the verdict names all of them.
 */
export function combineDecisions(
  revisions: readonly string[],
  decisions: readonly SubjectDecision[],
): CombinedDecision {
  const denials = once(
    decisions.flatMap((decision) => decision.denials),
    withoutRevision,
  );
  const warnings = once(
    decisions.flatMap((decision) => decision.warnings),
    withoutRevision,
  );
  return {
    verdict: {
      verdict: denials.length === 0 ? "allow" : "deny",
      denials,
      warnings,
      revision: [...new Set(revisions)].join("+"),
    },
    tightenings: once(
      decisions.flatMap(({ tightenings }) => tightenings),
      (tightening) => tightening,
    ),
    sensitivePaths: once(
      decisions.flatMap(({ sensitivePaths }) => sensitivePaths),
      (path) => path,
    ),
  };
}

function withoutRevision({ revision: _, ...rest }: Finding): object {
  return rest;
}

function once<T>(values: readonly T[], identity: (value: T) => object): T[] {
  return [...new Map(values.toReversed().map((value) => [canonicalJson(identity(value)), value])).values()].reverse();
}

function toFinding(revision: string, unit: string, namespace: string, { rule, msg, loc, metadata }: Judged): Finding {
  const { query: _, ...own } = metadata ?? {};
  return {
    ...(unit === "" ? {} : { unit }),
    namespace,
    rule,
    message: msg,
    metadata: jsonObjectSchema.parse({ ...own, ...(loc === undefined ? {} : { loc }) }),
    revision,
  };
}

/** From OPA's JSON, so the members are JSON already. */
const jsonObjectSchema = z.custom<JsonObject>((value) => typeof value === "object" && value !== null);

interface Spoken {
  readonly rule: string;
  readonly value: unknown;
}

function listSpoken(rule: string, value: unknown): Spoken[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) {
    throw new PolicyResultInvalidError(
      rule,
      "not a set of objects",
      `write \`${rule.split(".").at(-1)} contains {…} if …\``,
    );
  }
  return value.map((member: unknown) => ({ rule, value: member }));
}

const tighteningSchema = z.strictObject({
  gate: z.enum(["forced", "environment"]).default("forced"),
  groups: z.array(z.string().min(1)).default([]),
  quorum: z.number().int().min(1).max(100).optional(),
  msg: z.string().default(""),
  unit: z.string().optional(),
});

function readTightening(unit: string, { rule, value }: Spoken): Tightening {
  const hint = 'give {"gate": "forced" or "environment", "groups": […], "quorum": n, "msg": "…"}, all of them optional';
  const parsed = tighteningSchema.safeParse(value);
  if (!parsed.success) throw new PolicyResultInvalidError(rule, z.prettifyError(parsed.error), hint);
  const { gate, groups, quorum, msg } = parsed.data;
  return {
    unit: ownUnit(unit, rule, parsed.data.unit),
    gate,
    groups: [...groups].sort(),
    quorum: quorum ?? 0,
    reason: msg,
  };
}

const sensitivePathSchema = z.strictObject({
  resource: z.string().min(1).default("*"),
  path: z.string().min(1),
  unit: z.string().optional(),
});

function readSensitivePath(unit: string, { rule, value }: Spoken): SensitivePath {
  const parsed = sensitivePathSchema.safeParse(value);
  if (!parsed.success) {
    throw new PolicyResultInvalidError(rule, z.prettifyError(parsed.error), 'give {"resource": "…", "path": "a.b"}');
  }
  const { resource, path } = parsed.data;
  return { unit: ownUnit(unit, rule, parsed.data.unit), resource, path };
}

/** Asked about a unit a policy speaks about that unit; asked about the ChangeSet it may name one. */
function ownUnit(asked: string, rule: string, named: string | undefined): string {
  if (asked === "" || named === undefined || named === asked) return asked === "" ? (named ?? "") : asked;
  throw new PolicyResultInvalidError(rule, `asked about ${asked} it speaks about ${named}`, "leave `unit` out");
}
