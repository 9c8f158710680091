import { type ChangeFrequency, canonicalLifecycle, type Lifecycle, type LifecycleName } from "../lifecycle.ts";
import { MATRIX } from "../matrix.ts";
import type { RouteLayer } from "../route-layer.ts";
import { reconcileStrategySchema } from "../route-settings.ts";
import type { ApprovalRule } from "./approval-rule.ts";
import type { Composition } from "./composition.ts";
import type { Environment } from "./environment.ts";
import type { MatrixOverrides } from "./matrix-overrides.ts";
import type { ParsedDocument } from "./parse.ts";
import type { Platform } from "./platform.ts";
import type { Settings } from "./settings.ts";
import type { Path } from "./source.ts";

type Draft = { -readonly [K in keyof RouteLayer]: RouteLayer[K] };

/** The settings at `path` of a document as a layer, or undefined when it has none. */
function settingsLayer(
  layer: RouteLayer["layer"],
  specific: boolean,
  document: ParsedDocument,
  path: Path,
  settings: Settings,
): Draft {
  const at = (...below: Path): string => document.source.reference(document.index, [...path, ...below]);
  const draft: Draft = { layer, specific };
  const { reconcile, reconcileStrategy, approvalPolicy, windows, blackouts, observe } = settings;
  if (reconcileStrategy !== undefined) placeShorthand(draft, reconcileStrategy, at("reconcileStrategy"));
  if (reconcile?.strategy !== undefined)
    draft.strategy = { value: reconcile.strategy, at: at("reconcile", "strategy") };
  if (reconcile?.interval !== undefined)
    draft.interval = { value: reconcile.interval, at: at("reconcile", "interval") };
  if (settings.driftPolicy !== undefined) draft.drift = { value: settings.driftPolicy, at: at("driftPolicy") };
  if (settings.backupPolicy !== undefined) draft.backup = { value: settings.backupPolicy, at: at("backupPolicy") };
  if (approvalPolicy !== undefined) placeApproval(draft, approvalPolicy, (...below) => at("approvalPolicy", ...below));
  if (windows !== undefined) draft.windows = { value: windows, at: at("windows") };
  if (blackouts !== undefined) draft.blackouts = { value: blackouts, at: at("blackouts") };
  if (settings.concurrency !== undefined) draft.concurrency = { value: settings.concurrency, at: at("concurrency") };
  if (observe !== undefined) draft.observe = { value: observe, at: at("observe") };
  if (settings.ttl !== undefined) draft.ttl = { value: settings.ttl, at: at("ttl") };
  return draft;
}

function placeShorthand(draft: Draft, shorthand: string, at: string): void {
  const [name, interval] = shorthand.split(":");
  const strategy = reconcileStrategySchema.safeParse(name);
  if (strategy.success) draft.strategy = { value: strategy.data, at };
  if (interval !== undefined) draft.interval = { value: interval, at };
}

type ApprovalSetting = NonNullable<Settings["approvalPolicy"]>;

function placeApproval(draft: Draft, approval: ApprovalSetting, at: (...below: Path) => string): void {
  if (typeof approval === "string") {
    draft.gate = { value: approval, at: at() };
    return;
  }
  if (approval.kind !== undefined) draft.gate = { value: approval.kind, at: at("kind") };
  if (approval.groups !== undefined) draft.groups = { value: approval.groups, at: at("groups") };
  if (approval.quorum !== undefined) draft.quorum = { value: approval.quorum, at: at("quorum") };
}

function isEmpty(layer: RouteLayer): boolean {
  return Object.keys(layer).length === 2;
}

function kept(layers: readonly RouteLayer[]): RouteLayer[] {
  return layers.filter((layer) => !isEmpty(layer));
}

/** What `.xcf.yaml` and an environment say about every unit of a class: general settings first, then their matrix. */
export function sharedLayers(
  platform: ParsedDocument<Platform> | undefined,
  environment: ParsedDocument<Environment>,
  lifecycle: Lifecycle,
  frequency: ChangeFrequency | undefined,
): RouteLayer[] {
  const layers: RouteLayer[] = [];
  if (platform !== undefined) {
    layers.push(settingsLayer("platform", false, platform, ["spec"], platform.value.spec));
    layers.push(...matrixLayers("platform", platform, platform.value.spec.matrix, lifecycle, frequency));
  }
  const { spec } = environment.value;
  const general = settingsLayer("environment", false, environment, ["spec"], spec);
  const { approvals } = spec;
  if (approvals !== undefined) {
    const at = (field: string): string => environment.source.reference(environment.index, ["spec", "approvals", field]);
    if (approvals.groups.length > 0) general.groups = { value: approvals.groups, at: at("groups") };
    if (approvals.quorum > 1) general.quorum = { value: approvals.quorum, at: at("quorum") };
  }
  layers.push(general);
  layers.push(...matrixLayers("environment", environment, spec.matrix, lifecycle, frequency));
  return kept(layers);
}

function matrixLayers(
  layer: "platform" | "environment",
  document: ParsedDocument,
  overrides: MatrixOverrides | undefined,
  lifecycle: Lifecycle,
  frequency: ChangeFrequency | undefined,
): RouteLayer[] {
  const layers: RouteLayer[] = [];
  for (const [name, row] of rowsOf(overrides)) {
    if (canonicalLifecycle(name) !== lifecycle) continue;
    const path = ["spec", "matrix", name];
    const at = (...below: Path): string => document.source.reference(document.index, [...path, ...below]);
    const draft = settingsLayer(layer, false, document, path, row);
    const wanted = frequency ?? MATRIX[lifecycle].usualFrequency;
    const cell = row.frequencies?.[wanted];
    if (row.engines !== undefined) draft.engines = { value: row.engines, at: at("engines") };
    if (cell?.interval !== undefined)
      draft.interval = { value: cell.interval, at: at("frequencies", wanted, "interval") };
    if (cell?.concurrency !== undefined) {
      draft.concurrency = { value: cell.concurrency, at: at("frequencies", wanted, "concurrency") };
    }
    layers.push(draft);
  }
  return layers;
}

function rowsOf(
  overrides: MatrixOverrides | undefined,
): [LifecycleName, NonNullable<MatrixOverrides[LifecycleName]>][] {
  const rows: [LifecycleName, NonNullable<MatrixOverrides[LifecycleName]>][] = [];
  for (const name of overrides === undefined ? [] : LIFECYCLE_NAMES) {
    const row = overrides?.[name];
    if (row !== undefined) rows.push([name, row]);
  }
  return rows;
}

const LIFECYCLE_NAMES: readonly LifecycleName[] = [
  "Foundation",
  "IaaS",
  "Platform",
  "PaaS",
  "Application",
  "Apps",
  "Config",
  "Ephemeral",
];

/** What an environment says about one composition it assembles. */
export function assemblyLayers(environment: ParsedDocument<Environment>, index: number): RouteLayer[] {
  const assembly = environment.value.spec.compositions[index];
  if (assembly === undefined) return [];
  return kept([settingsLayer("environment", true, environment, ["spec", "compositions", index], assembly)]);
}

export function compositionLayers(composition: ParsedDocument<Composition>): RouteLayer[] {
  const { spec } = composition.value;
  const draft = settingsLayer("composition", true, composition, ["spec"], spec);
  const at = (field: string): string => composition.source.reference(composition.index, ["spec", field]);
  if (spec.engine !== undefined) draft.engine = { value: spec.engine, at: at("engine") };
  return kept([withChecks(draft, spec.checks, () => at("checks"))]);
}

export function moduleLayers(composition: ParsedDocument<Composition>, index: number): RouteLayer[] {
  const module = composition.value.spec.modules[index];
  if (module === undefined) return [];
  const path = ["spec", "modules", index];
  const at = (...below: Path): string => composition.source.reference(composition.index, [...path, ...below]);
  const draft = settingsLayer("module", true, composition, path, module);
  const { policies } = module;
  if (module.engine !== undefined) draft.engine = { value: module.engine, at: at("engine") };
  if (policies?.approval !== undefined)
    placeApproval(draft, policies.approval, (...below) => at("policies", "approval", ...below));
  if (policies?.backup !== undefined) draft.backup = { value: policies.backup, at: at("policies", "backup") };
  if (policies?.drift !== undefined) draft.drift = { value: policies.drift, at: at("policies", "drift") };
  const reconcile = policies?.reconcile;
  if (reconcile?.strategy !== undefined)
    draft.strategy = { value: reconcile.strategy, at: at("policies", "reconcile", "strategy") };
  if (reconcile?.interval !== undefined)
    draft.interval = { value: reconcile.interval, at: at("policies", "reconcile", "interval") };
  return kept([withChecks(draft, module.checks, () => at("checks"))]);
}

/** `checks` beside `observe` is short for `observe: {checks}`. */
function withChecks(draft: Draft, checks: Composition["spec"]["checks"], at: () => string): Draft {
  if (checks === undefined) return draft;
  const { observe } = draft;
  draft.observe = {
    value: { ...observe?.value, checks: [...(observe?.value.checks ?? []), ...checks] },
    at: observe?.at ?? at(),
  };
  return draft;
}

/** An approval rule's demands; what depends on the plan (`when`) is not decided here. */
export function ruleLayer(rule: ParsedDocument<ApprovalRule>): RouteLayer {
  const { require } = rule.value.spec;
  const at = (field: string): string => rule.source.reference(rule.index, ["spec", "require", field]);
  const draft: Draft = { layer: "policy", specific: true };
  if (require.approval !== undefined) draft.gate = { value: require.approval, at: at("approval") };
  if (require.groups !== undefined) draft.groups = { value: require.groups, at: at("groups") };
  if (require.quorum !== undefined) draft.quorum = { value: require.quorum, at: at("quorum") };
  if (require.windows !== undefined) draft.windows = { value: require.windows, at: at("windows") };
  if (require.blackouts !== undefined) draft.blackouts = { value: require.blackouts, at: at("blackouts") };
  return draft;
}
