import { type Address, parseAddress } from "@xcloudflow/model/address";
import type { CompiledUnit } from "@xcloudflow/model/compilation";
import type { DeclaredUnit } from "@xcloudflow/model/dsl/expansion";
import type { SelectedUnit } from "@xcloudflow/model/dsl/selection";
import type { Tier } from "@xcloudflow/model/lifecycle";
import type { Route } from "@xcloudflow/model/route";
import type { DescribedUnit } from "./conditions.ts";

/** What two commits say of the units of an environment. */
export interface DescriptionParts {
  readonly units: readonly Pick<CompiledUnit, "address" | "movedFrom" | "route">[];
  readonly proposed: readonly DeclaredUnit[];
  readonly governing: readonly DeclaredUnit[];
  /** Routes by the rules that govern, where they are known. */
  readonly governingRoutes: ReadonlyMap<Address, Route>;
  /** Every tier that a commit gives the environment. */
  readonly tiers: readonly Tier[];
}

/** Every unit as each commit that has it, and else its last apply, describes it to the selectors of rules. */
export function describeUnits(parts: DescriptionParts): DescribedUnit[] {
  const proposed = new Map(parts.proposed.map((unit) => [unit.address, unit]));
  const governing = new Map(parts.governing.map((unit) => [unit.address, unit]));
  return parts.units.map(({ address, movedFrom, route }) => {
    const declared = [
      ...describe(proposed.get(address), route),
      ...describe(
        governing.get(address) ?? governing.get(movedFrom ?? ""),
        parts.governingRoutes.get(address) ?? route,
      ),
    ];
    const known = declared.length > 0 ? declared : describeApplied(address, route);
    return {
      address,
      descriptions: parts.tiers.flatMap((tier) => known.map((description) => ({ ...description, tier }))),
      forgotten: declared.length === 0,
    };
  });
}

type Description = Omit<SelectedUnit, "tier">;

function describe(unit: DeclaredUnit | undefined, route: Route): Description[] {
  if (unit === undefined) return [];
  const { environment, lifecycle, composition, module, owner, labels } = unit;
  return [
    {
      environment,
      lifecycle,
      changeFrequency: route.changeFrequency.value,
      composition,
      module,
      engine: route.engine.value,
      owner,
      labels,
    },
  ];
}

function describeApplied(address: Address, route: Route): Description[] {
  const { environment, composition, module } = parseAddress(address);
  return [
    {
      environment,
      lifecycle: route.lifecycle.value,
      changeFrequency: route.changeFrequency.value,
      composition,
      module,
      engine: route.engine.value,
      owner: undefined,
      labels: {},
    },
  ];
}
