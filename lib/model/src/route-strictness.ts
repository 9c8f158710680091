import { durationSeconds } from "./duration.ts";
import { LIFECYCLES } from "./lifecycle.ts";
import type { Route } from "./route.ts";
import type { Backup, DriftPolicy, GateKind, Observe, ReconcileStrategy, RouteGate } from "./route-settings.ts";
import type { WindowRule } from "./window.ts";

/** From loose to strict. */
const GATES: readonly GateKind[] = ["none", "automatic", "environment", "forced"];
const DRIFTS: readonly DriftPolicy[] = ["collect", "correct", "alert"];
const BACKUPS: readonly Backup[] = ["none", "state", "configuration", "pre-change"];
const STRATEGIES: readonly ReconcileStrategy[] = ["continuous", "periodic", "on_change", "on_drift"];
const REACTIONS: readonly Observe["onBreach"][] = ["alert", "hold", "rollback"];

export function isStricterGate(kind: GateKind, than: GateKind): boolean {
  return GATES.indexOf(kind) > GATES.indexOf(than);
}

/** Fewer people: whoever is in the groups of both; where nobody is, those of `preferred`. Empty means everybody. */
export function stricterGroups(preferred: readonly string[], other: readonly string[]): string[] {
  if (preferred.length === 0) return [...other];
  if (other.length === 0) return [...preferred];
  const both = preferred.filter((group) => other.includes(group));
  return both.length > 0 ? both : [...preferred];
}

/**
 * Of the Route under the rules that govern and the Route a change proposes, field by field the one that lets less
 * happen without people. What does not judge a change (engine, frequency, interval) is the proposal's.
 */
export function stricterRoute(governing: Route, proposed: Route): Route {
  const route: Route = {
    ...proposed,
    lifecycle: stricter(governing.lifecycle, proposed.lifecycle, [...LIFECYCLES].reverse()),
    reconcile: stricterBy(governing.reconcile, proposed.reconcile, ({ strategy }) => STRATEGIES.indexOf(strategy)),
    drift: stricter(governing.drift, proposed.drift, DRIFTS),
    gate: stricterGate(governing.gate, proposed.gate),
    backup: stricter(governing.backup, proposed.backup, BACKUPS),
    concurrency: stricterBy(governing.concurrency, proposed.concurrency, (value) => -value),
  };
  const window = stricterWindow(governing.window, proposed.window);
  if (window !== undefined) route.window = window;
  const observe = stricterObserve(governing.observe, proposed.observe);
  if (observe !== undefined) route.observe = observe;
  const ttl = longerLife(governing.ttl, proposed.ttl);
  if (ttl === undefined) delete route.ttl;
  else route.ttl = ttl;
  return route;
}

function stricterBy<T extends { readonly value: V }, V>(
  governing: T,
  proposed: T,
  rank: (value: T["value"]) => number,
): T {
  return rank(governing.value) > rank(proposed.value) ? governing : proposed;
}

function stricter<T extends { readonly value: V }, V>(governing: T, proposed: T, order: readonly V[]): T {
  return stricterBy(governing, proposed, (value) => order.indexOf(value));
}

function stricterGate(governing: Route["gate"], proposed: Route["gate"]): Route["gate"] {
  const base = stricterBy(governing, proposed, ({ kind }) => GATES.indexOf(kind));
  const value: RouteGate = {
    kind: base.value.kind,
    groups: stricterGroups(governing.value.groups, proposed.value.groups),
    quorum: Math.max(governing.value.quorum, proposed.value.quorum),
  };
  return { value, from: base.from };
}

function stricterWindow(governing: Route["window"], proposed: Route["window"]): Route["window"] {
  if (governing === undefined || proposed === undefined) return governing ?? proposed;
  return { value: bothWindows(governing.value, proposed.value), from: governing.from };
}

/** Open only where both rules are. */
export function bothWindows(a: WindowRule, b: WindowRule): WindowRule {
  return { allOf: distinct([...a.allOf, ...b.allOf]), blackouts: distinct([...a.blackouts, ...b.blackouts]) };
}

function distinct<T>(items: readonly T[]): T[] {
  return [...new Map(items.map((item) => [JSON.stringify(item), item])).values()];
}

function stricterObserve(governing: Route["observe"], proposed: Route["observe"]): Route["observe"] {
  if (governing === undefined || proposed === undefined) return governing ?? proposed;
  const [old, next] = [governing.value, proposed.value];
  const longer = (durationSeconds(old.window) ?? 0) > (durationSeconds(next.window) ?? 0) ? old.window : next.window;
  const onBreach = REACTIONS.indexOf(old.onBreach) > REACTIONS.indexOf(next.onBreach) ? old.onBreach : next.onBreach;
  return {
    value: { window: longer, checks: distinct([...old.checks, ...next.checks]), onBreach },
    from: governing.from,
  };
}

function longerLife(governing: Route["ttl"], proposed: Route["ttl"]): Route["ttl"] {
  if (governing === undefined || proposed === undefined) return undefined;
  return (durationSeconds(governing.value) ?? 0) > (durationSeconds(proposed.value) ?? 0) ? governing : proposed;
}
