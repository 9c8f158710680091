import type { Address } from "@xcloudflow/model/address";
import type { DeclaredUnit, Expansion } from "@xcloudflow/model/dsl/expansion";
import { sharedLayers } from "@xcloudflow/model/dsl/layers";
import type { Monorepo } from "@xcloudflow/model/dsl/monorepo-index";
import { routeQuestion } from "@xcloudflow/model/dsl/route-question";
import type { Route } from "@xcloudflow/model/route";
import type { RouteQuestion } from "@xcloudflow/model/route-layer";
import type { EngineName } from "@xcloudflow/model/route-settings";

/** One commit's say on an environment. */
export interface RouteSide {
  readonly monorepo: Monorepo;
  readonly expansion: Expansion;
}

/** What is asked of the router for one unit: by the proposal's rules, and by the governing ones. */
export interface UnitQuestions {
  readonly proposed: RouteQuestion;
  /** Undefined where no rules govern yet. */
  readonly governing: RouteQuestion | undefined;
  /** The governing commit has the unit itself, so that a difference is a change of its rules. */
  readonly known: boolean;
}

/**
 * The questions for one unit. A unit that the governing commit has, under its own or its former address, is judged by
 * what it says there; a new one by the governing platform, environment and approval rules over its own composition.
 */
export function askAbout(
  unit: DeclaredUnit,
  proposal: RouteSide,
  governing: RouteSide | undefined,
  facts: {
    readonly contents: readonly EngineName[] | undefined;
    readonly movedFrom: Address | undefined;
    readonly governingUnits: ReadonlyMap<Address, DeclaredUnit>;
  },
): UnitQuestions {
  const proposed = routeQuestion(proposal.monorepo, unit, facts.contents);
  if (governing === undefined) return { proposed, governing: undefined, known: false };
  const known = facts.governingUnits.get(unit.address) ?? facts.governingUnits.get(facts.movedFrom ?? "");
  if (known !== undefined)
    return { proposed, governing: routeQuestion(governing.monorepo, known, facts.contents), known: true };
  const { changeFrequency } = unit.source.composition.value.spec;
  const shared = sharedLayers(
    governing.monorepo.platform,
    governing.expansion.environment,
    unit.lifecycle,
    changeFrequency,
  );
  const own = unit.layers.filter(
    ({ layer, specific }) => specific || (layer !== "platform" && layer !== "environment"),
  );
  return {
    proposed,
    governing: routeQuestion(governing.monorepo, { ...unit, layers: [...shared, ...own] }, facts.contents),
    known: false,
  };
}

/** A unit's routes once the router has answered. */
export interface UnitRoutes {
  readonly proposed: Route;
  readonly governing: Route | undefined;
  readonly known: boolean;
}
