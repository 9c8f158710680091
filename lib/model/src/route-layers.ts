import { chooseEngine } from "./engine-content.ts";
import type { ChangeFrequency } from "./lifecycle.ts";
import { MATRIX, type MatrixRow } from "./matrix.ts";
import type { Origin, Route } from "./route.ts";
import type { RouteLayer, RouteQuestion } from "./route-layer.ts";
import type { Observe } from "./route-settings.ts";
import { isStricterGate, stricterGroups } from "./route-strictness.ts";
import type { WindowRule } from "./window.ts";

/** Something a layer asked for that was not done, or that is odd; `at` is its `file:line:col`. */
export interface RouteProblem {
  readonly code: "GATE_LOOSENED" | "ENGINE_MISMATCH";
  readonly at: string;
  readonly message: string;
  readonly hint: string;
}

export interface RouteDecision {
  readonly route: Route;
  readonly problems: readonly RouteProblem[];
}

const DEFAULT_OBSERVATION = "15m";
const MATRIX_ORIGIN: Origin = { layer: "matrix" };

/**
 * Decides a unit's Route: the matrix, then every layer over it in order, each field with what decided it. A layer that
 * would loosen a Foundation gate is ignored there and reported; a policy can only tighten.
 */
export function decideRoute(question: RouteQuestion): RouteDecision {
  const problems: RouteProblem[] = [];
  const row = MATRIX[question.lifecycle.value];
  const frequency = question.changeFrequency?.value ?? row.usualFrequency;
  const draft = startDraft(question, row, frequency);
  for (const layer of question.layers) {
    overrideSimple(draft, layer);
    decideReconcile(draft, layer);
    decideGate(draft, layer, question, problems);
    decideWindows(draft, layer, question);
    decideObservation(draft, layer);
  }
  const route: Route = { ...draft.route, engine: decideEngine(question, row, problems) };
  const window = finishWindow(draft);
  if (window !== undefined) route.window = window;
  return { route, problems };
}

interface Draft {
  readonly route: Omit<Route, "engine">;
  windows: { readonly groups: WindowRule["allOf"]; readonly from: Origin; readonly specific: boolean } | undefined;
  blackouts: { readonly value: WindowRule["blackouts"]; readonly from: Origin } | undefined;
}

function startDraft(question: RouteQuestion, row: MatrixRow, frequency: ChangeFrequency): Draft {
  const cell = row.cells[frequency];
  const fromComposition = (at: string): Origin => ({ layer: "composition", at });
  const route: Omit<Route, "engine"> = {
    address: question.address,
    lifecycle: { value: question.lifecycle.value, from: fromComposition(question.lifecycle.at) },
    changeFrequency: {
      value: frequency,
      from: question.changeFrequency === undefined ? MATRIX_ORIGIN : fromComposition(question.changeFrequency.at),
    },
    reconcile: { value: { strategy: row.strategy, interval: cell.interval }, from: MATRIX_ORIGIN },
    drift: { value: row.drift, from: MATRIX_ORIGIN },
    gate: { value: { kind: row.gate, groups: [], quorum: 1 }, from: MATRIX_ORIGIN },
    backup: { value: row.backup, from: MATRIX_ORIGIN },
    concurrency: { value: cell.concurrency, from: MATRIX_ORIGIN },
  };
  if (row.ttl !== undefined) route.ttl = { value: row.ttl, from: MATRIX_ORIGIN };
  return { route, windows: undefined, blackouts: undefined };
}

function originOf(layer: RouteLayer, setting: { readonly at: string }): Origin {
  return { layer: layer.layer, at: setting.at };
}

function overrideSimple({ route }: Draft, layer: RouteLayer): void {
  const { drift, backup, concurrency, ttl } = layer;
  if (drift !== undefined) route.drift = { value: drift.value, from: originOf(layer, drift) };
  if (backup !== undefined) route.backup = { value: backup.value, from: originOf(layer, backup) };
  if (concurrency !== undefined) route.concurrency = { value: concurrency.value, from: originOf(layer, concurrency) };
  if (ttl !== undefined) route.ttl = { value: ttl.value, from: originOf(layer, ttl) };
}

function decideReconcile({ route }: Draft, layer: RouteLayer): void {
  const { strategy, interval } = layer;
  if (interval !== undefined)
    route.reconcile = { ...route.reconcile, value: { ...route.reconcile.value, interval: interval.value } };
  if (strategy !== undefined) {
    route.reconcile = {
      value: { ...route.reconcile.value, strategy: strategy.value },
      from: originOf(layer, strategy),
    };
  }
}

function decideGate({ route }: Draft, layer: RouteLayer, question: RouteQuestion, problems: RouteProblem[]): void {
  const mayLoosen = layer.layer !== "policy" && question.lifecycle.value !== "Foundation";
  const current = route.gate.value;
  const refuse = (setting: { readonly at: string }, what: string): void => {
    if (layer.layer !== "policy") problems.push(loosened(setting.at, what));
  };
  const { gate, groups, quorum } = layer;
  const next = { ...current };
  let { from } = route.gate;
  if (gate !== undefined) {
    if (mayLoosen || !isStricterGate(current.kind, gate.value)) {
      if (mayLoosen || gate.value !== current.kind || layer.layer !== "policy") from = originOf(layer, gate);
      next.kind = gate.value;
    } else refuse(gate, `gate ${gate.value} instead of ${current.kind}`);
  }
  if (groups !== undefined) {
    if (mayLoosen) next.groups = [...groups.value];
    else if (layer.layer === "policy") next.groups = stricterGroups(groups.value, current.groups);
    else if (narrows(groups.value, current.groups)) next.groups = [...groups.value];
    else refuse(groups, `approval by other groups than ${current.groups.join(", ")}`);
  }
  if (quorum !== undefined) {
    if (mayLoosen || quorum.value >= current.quorum) next.quorum = quorum.value;
    else refuse(quorum, `${quorum.value} approvals instead of ${current.quorum}`);
  }
  route.gate = { value: next, from };
}

function narrows(groups: readonly string[], current: readonly string[]): boolean {
  if (current.length === 0) return true;
  return groups.length > 0 && groups.every((group) => current.includes(group));
}

function loosened(at: string, what: string): RouteProblem {
  return {
    code: "GATE_LOOSENED",
    at,
    message: `${what} would loosen the gate of Foundation and is ignored`,
    hint: "remove it, or give the composition another lifecycle",
  };
}

/** Windows replace each other, except where that could loosen: then every layer's windows must be open at once. */
function decideWindows(draft: Draft, layer: RouteLayer, question: RouteQuestion): void {
  const { windows, blackouts } = layer;
  if (windows !== undefined) {
    const adds = layer.layer === "policy" || question.lifecycle.value === "Foundation";
    const before = adds && draft.windows !== undefined ? draft.windows.groups : [];
    draft.windows = {
      groups: [...before, windows.value],
      from: originOf(layer, windows),
      specific: layer.specific || (adds && (draft.windows?.specific ?? false)),
    };
  }
  if (blackouts !== undefined) {
    draft.blackouts = {
      value: [...(draft.blackouts?.value ?? []), ...blackouts.value],
      from: originOf(layer, blackouts),
    };
  }
}

/** Windows of an environment or the platform hold for gates that ask people; a unit's own windows hold for any gate. */
function finishWindow({ route, windows, blackouts }: Draft): Route["window"] {
  const { kind } = route.gate.value;
  const holds = windows !== undefined && (windows.specific || kind === "forced" || kind === "environment");
  const from = (holds ? windows.from : undefined) ?? blackouts?.from;
  if (from === undefined) return undefined;
  return { value: { allOf: holds ? windows.groups : [], blackouts: blackouts?.value ?? [] }, from };
}

function decideObservation({ route }: Draft, layer: RouteLayer): void {
  const { observe } = layer;
  if (observe === undefined) return;
  const before: Observe = route.observe?.value ?? { window: DEFAULT_OBSERVATION, checks: [], onBreach: "alert" };
  const names = new Set(observe.value.checks?.map((check) => check.name));
  route.observe = {
    value: {
      window: observe.value.window ?? before.window,
      checks: [...before.checks.filter((check) => !names.has(check.name)), ...(observe.value.checks ?? [])],
      onBreach: observe.value.onBreach ?? before.onBreach,
    },
    from: originOf(layer, observe),
  };
}

function decideEngine(question: RouteQuestion, row: MatrixRow, problems: RouteProblem[]): Route["engine"] {
  const candidates = question.contents?.engines ?? [];
  const explicit = question.layers.findLast((layer) => layer.engine !== undefined);
  if (explicit?.engine !== undefined) {
    const { value, at } = explicit.engine;
    if (candidates.length > 0 && !candidates.includes(value)) {
      problems.push({
        code: "ENGINE_MISMATCH",
        at,
        message: `the engine is ${value}, but the module's files are those of ${candidates.join(" or ")}`,
        hint: `remove the line, or write engine: ${candidates[0] ?? value}`,
      });
    }
    return { value, from: { layer: explicit.layer, at } };
  }
  const preference = question.layers.findLast((layer) => layer.engines !== undefined);
  const preferred = preference?.engines?.value ?? row.engines;
  const preferenceOrigin: Origin =
    preference?.engines === undefined ? MATRIX_ORIGIN : { layer: preference.layer, at: preference.engines.at };
  const [only] = candidates;
  if (candidates.length === 1 && only !== undefined && question.contents !== undefined) {
    return { value: only, from: { layer: "module", at: question.contents.at } };
  }
  const chosen = chooseEngine(candidates, preferred) ?? preferred[0] ?? "terraform";
  return { value: chosen, from: preferenceOrigin };
}
