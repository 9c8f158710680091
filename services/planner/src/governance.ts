import { canonicalJson } from "@xcloudflow/model/canonical-json";
import type { Governance } from "@xcloudflow/model/compilation";
import { digestOf } from "@xcloudflow/model/digest";
import type { Environment } from "@xcloudflow/model/dsl/environment";
import type { Monorepo } from "@xcloudflow/model/dsl/monorepo-index";
import type { Tier } from "@xcloudflow/model/lifecycle";
import type { Route } from "@xcloudflow/model/route";
import { stricterGroups } from "@xcloudflow/model/route-strictness";
import { describeWindowRule } from "@xcloudflow/model/window";

/** The rules that one commit declares for one environment. */
export interface Rules {
  readonly commit: string;
  readonly monorepo: Monorepo;
  /** Undefined where the commit does not have the environment. */
  readonly environment: Environment | undefined;
  readonly policyRevision: string;
  /** Path → content id of every policy file. */
  readonly policyFiles: ReadonlyMap<string, string>;
}

/** A unit under both sets of rules; `governing` is absent for a unit that they do not know. */
export interface JudgedUnit {
  readonly address: string;
  readonly governing: Route | undefined;
  readonly proposed: Route;
}

/** Units that run at once in an environment that does not say. */
const DEFAULT_CONCURRENCY = 8;

/** From loose to strict. */
const TIERS: readonly Tier[] = ["ephemeral", "development", "staging", "production"];

/** What an environment says about how its changes are judged. */
const GOVERNING_FIELDS = [
  "tier",
  "ref",
  "applyWhen",
  "mode",
  "approvals",
  "approvalPolicy",
  "windows",
  "blackouts",
  "budget",
  "matrix",
  "credentials",
  "backupPolicy",
  "driftPolicy",
  "observe",
] as const satisfies readonly (keyof Environment["spec"])[];

const FIELD_WORDS: Readonly<Record<string, string>> = {
  ref: "branch",
  approvalPolicy: "gate",
  backupPolicy: "backup policy",
  driftPolicy: "drift policy",
};

/**
 * Old and proposed rules together: of each, the stricter holds. `changes` says in sentences what the proposal would
 * change about how it is judged; nothing, where there are no rules from before (trust on first use).
 */
export function decideGovernance(
  governing: Rules | undefined,
  proposed: Rules,
  units: readonly JudgedUnit[],
): Omit<Governance, "conditions"> {
  const both = governing === undefined ? [proposed] : [governing, proposed];
  const environments = both.flatMap(({ environment }) => (environment === undefined ? [] : [environment]));
  const specs = environments.map(({ spec }) => spec);
  // An environment that the governing commit does not know has nobody's word that an author may approve.
  const selfApproval =
    specs.length === both.length &&
    specs.every(({ tier, approvals }) => tier === "development" && approvals?.selfApproval === true);
  // Never the proposal's own, which could give its author another name; only where nothing governs yet.
  const identities = (governing ?? proposed).monorepo.platform?.value.spec.identities;
  const groups = specs.map(({ approvals }) => approvals?.groups ?? []);
  return {
    ...(identities === undefined ? {} : { identities }),
    commit: governing?.commit ?? "",
    governingDigest: rulesDigest(governing ?? proposed),
    proposedDigest: rulesDigest(proposed),
    policyRevisions: [...new Set(both.map(({ policyRevision }) => policyRevision))],
    changes: governing === undefined ? [] : describeChanges(governing, proposed, units),
    approvals: {
      groups: groups.reduce<string[]>((all, next) => stricterGroups(all, next), []),
      quorum: Math.max(1, ...specs.map(({ approvals }) => approvals?.quorum ?? 1)),
      selfApproval,
      declared: specs.some(({ approvals }) => approvals !== undefined),
    },
    tier: specs.reduce<Tier>(
      (strictest, { tier }) => (TIERS.indexOf(tier) > TIERS.indexOf(strictest) ? tier : strictest),
      "ephemeral",
    ),
    concurrency: Math.min(
      ...specs.map(({ concurrency }) => concurrency ?? DEFAULT_CONCURRENCY),
      DEFAULT_CONCURRENCY * 1_000,
    ),
  };
}

/**
 * Covers policies, `.xcf.yaml` and the environment's own rules as they are read, so that a comment changes nothing. What
 * compositions say (lifecycles, gates) is in the routes of the units, which are compared one by one.
 */
export function rulesDigest({ monorepo, environment, policyRevision }: Rules): string {
  return digestOf({
    policies: policyRevision,
    platform: monorepo.platform?.value.spec ?? null,
    environment:
      environment === undefined
        ? null
        : Object.fromEntries(GOVERNING_FIELDS.map((field) => [field, environment.spec[field]])),
  });
}

/** Sentences about single units beyond this number are counted only. */
const MAX_UNIT_SENTENCES = 20;

function describeChanges(governing: Rules, proposed: Rules, units: readonly JudgedUnit[]): string[] {
  const ofUnits = units.flatMap(describeUnit);
  const more = ofUnits.length - MAX_UNIT_SENTENCES;
  return [
    ...describePolicies(governing.policyFiles, proposed.policyFiles),
    ...describePlatform(governing.monorepo, proposed.monorepo),
    ...describeEnvironment(governing.environment, proposed.environment),
    ...ofUnits.slice(0, MAX_UNIT_SENTENCES),
    ...(more > 0 ? [`${more} more units have other rules`] : []),
  ];
}

function describePolicies(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): string[] {
  const paths = [...new Set([...before.keys(), ...after.keys()])].sort();
  return paths.flatMap((path) => {
    if (before.get(path) === after.get(path)) return [];
    if (!before.has(path)) return [`${path} is added`];
    return [after.has(path) ? `${path} is changed` : `${path} is removed`];
  });
}

function describePlatform(before: Monorepo, after: Monorepo): string[] {
  const [old, next] = [before.platform?.value.spec, after.platform?.value.spec];
  if (same(old, next)) return [];
  if (next === undefined) return [".xcf.yaml is removed"];
  if (old === undefined) return [".xcf.yaml is added"];
  const oldFields = new Map(Object.entries(old));
  const fields = new Map(Object.entries(next));
  const changed = [...new Set([...oldFields.keys(), ...fields.keys()])].filter(
    (field) => !same(oldFields.get(field), fields.get(field)),
  );
  return [`.xcf.yaml changes ${changed.sort().join(", ")}`];
}

function describeEnvironment(before: Environment | undefined, after: Environment | undefined): string[] {
  if (before === undefined) return after === undefined ? [] : [`the environment "${after.metadata.name}" is new`];
  if (after === undefined) return [`the environment "${before.metadata.name}" is removed`];
  return GOVERNING_FIELDS.flatMap((field) => {
    const [old, next] = [before.spec[field], after.spec[field]];
    if (same(old, next)) return [];
    const short = [old, next].every((value) => value === undefined || typeof value === "string");
    const values = short ? ` from ${old ?? "the default"} to ${next ?? "the default"}` : "";
    return [
      `the ${FIELD_WORDS[field] ?? field} of "${after.metadata.name}" ${short ? "changes" : field.endsWith("s") ? "change" : "changes"}${values}`,
    ];
  });
}

function describeUnit({ address, governing, proposed }: JudgedUnit): string[] {
  if (governing === undefined) return [];
  const sentences: string[] = [];
  const [old, next] = [governing, proposed];
  if (old.lifecycle.value !== next.lifecycle.value)
    sentences.push(`the lifecycle of ${address} changes from ${old.lifecycle.value} to ${next.lifecycle.value}`);
  if (!same(old.gate.value, next.gate.value))
    sentences.push(`the gate of ${address} changes from ${gateText(old)} to ${gateText(next)}`);
  if (!same(old.window?.value, next.window?.value))
    sentences.push(`the window of ${address} changes from ${windowText(old)} to ${windowText(next)}`);
  return sentences;
}

function gateText({ gate }: Route): string {
  const { kind, groups, quorum } = gate.value;
  const who = groups.length === 0 ? "" : ` by ${groups.join(" or ")}`;
  return quorum === 1 ? `${kind}${who}` : `${kind}${who} (${quorum})`;
}

function windowText({ window }: Route): string {
  return window === undefined ? "always" : describeWindowRule(window.value);
}

function same(a: unknown, b: unknown): boolean {
  return canonicalJson(a ?? null) === canonicalJson(b ?? null);
}
