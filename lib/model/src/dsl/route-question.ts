import type { Tier } from "../lifecycle.ts";
import type { RouteQuestion } from "../route-layer.ts";
import { decideRoute, type RouteDecision } from "../route-layers.ts";
import type { EngineName } from "../route-settings.ts";
import type { DeclaredUnit } from "./expansion.ts";
import { ruleLayer } from "./layers.ts";
import type { Monorepo } from "./monorepo-index.ts";
import { matchesSelector } from "./selection.ts";

/**
 * Everything that decides a declared unit's Route. `contents` are the engines its module's files speak of
 * (`enginesFromContents`), absent where nobody has looked yet.
 */
export function routeQuestion(monorepo: Monorepo, unit: DeclaredUnit, contents?: readonly EngineName[]): RouteQuestion {
  const { composition, moduleIndex } = unit.source;
  const at = (...path: PropertyKey[]): string => composition.source.reference(composition.index, ["spec", ...path]);
  const { changeFrequency } = composition.value.spec;
  const question: RouteQuestion = {
    address: unit.address,
    lifecycle: { value: unit.lifecycle, at: at("lifecycle") },
    layers: [...unit.layers],
    ...(changeFrequency === undefined
      ? {}
      : { changeFrequency: { value: changeFrequency, at: at("changeFrequency") } }),
    ...(contents === undefined ? {} : { contents: { engines: [...contents], at: at("modules", moduleIndex, "ref") } }),
  };
  return { ...question, layers: [...question.layers, ...policyLayers(monorepo, unit, question)] };
}

/** The Route of a declared unit: what `xcf explain` prints. */
export function routeUnit(monorepo: Monorepo, unit: DeclaredUnit, contents?: readonly EngineName[]): RouteDecision {
  return decideRoute(routeQuestion(monorepo, unit, contents));
}

function policyLayers(monorepo: Monorepo, unit: DeclaredUnit, question: RouteQuestion) {
  const rules = monorepo.approvalRules.filter((rule) => rule.value.spec.when === undefined);
  if (rules.length === 0) return [];
  const { engine, changeFrequency } = decideRoute(question).route;
  const selected = {
    environment: unit.environment,
    tier: tierOf(monorepo, unit),
    lifecycle: unit.lifecycle,
    changeFrequency: changeFrequency.value,
    composition: unit.composition,
    module: unit.module,
    engine: engine.value,
    owner: unit.owner,
    labels: unit.labels,
  };
  return rules.filter((rule) => matchesSelector(rule.value.spec.match, selected)).map(ruleLayer);
}

function tierOf(monorepo: Monorepo, unit: DeclaredUnit): Tier {
  return monorepo.environments.get(unit.environment)?.value.spec.tier ?? "production";
}
