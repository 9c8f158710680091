import { type ChangeFrequency, canonicalLifecycle, type Lifecycle, type Tier } from "../lifecycle.ts";
import type { Selector } from "./selector.ts";

/** What a policy document's `match` looks at. */
export interface SelectedUnit {
  readonly environment: string;
  readonly tier: Tier;
  readonly lifecycle: Lifecycle;
  readonly changeFrequency: ChangeFrequency | undefined;
  readonly composition: string;
  readonly module: string;
  readonly engine: string | undefined;
  readonly owner: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
}

/** Every given field must match. An empty selector matches everything; what is not known of a unit does not match. */
export function matchesSelector(selector: Selector, unit: SelectedUnit): boolean {
  return (
    has(selector.environments, unit.environment) &&
    has(selector.tiers, unit.tier) &&
    has(selector.lifecycles?.map(canonicalLifecycle), unit.lifecycle) &&
    has(selector.changeFrequencies, unit.changeFrequency) &&
    has(selector.compositions, unit.composition) &&
    has(selector.modules, unit.module) &&
    has(selector.engines, unit.engine) &&
    has(selector.owners, unit.owner) &&
    Object.entries(selector.labels ?? {}).every(([name, value]) => unit.labels[name] === value)
  );
}

function has<T>(wanted: readonly T[] | undefined, value: T | undefined): boolean {
  return wanted === undefined || (value !== undefined && wanted.includes(value));
}
