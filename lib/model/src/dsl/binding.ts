import { type Address, formatAddress } from "../address.ts";
import type { OutputReference } from "../expression.ts";
import type { OutputBinding } from "../expression-resolution.ts";
import { moduleNames } from "./module-names.ts";
import type { Monorepo } from "./monorepo-index.ts";
import { didYouMean } from "./nearest.ts";

/** One composition in one environment and region. */
export interface Instance {
  readonly environment: string;
  readonly composition: string;
  readonly region: string | undefined;
}

/**
 * The unit that an output reference means for an instance: in the same region, else in the instance without region,
 * else it is a fault.
 */
export function bindOutput(monorepo: Monorepo, from: Instance, reference: OutputReference): OutputBinding {
  const environment = reference.environment ?? from.environment;
  const placed = monorepo.placements.get(environment);
  if (placed === undefined) {
    return fault(
      "ENVIRONMENT_MISSING",
      `there is no environment "${environment}"`,
      didYouMean(environment, () => monorepo.environments.keys(), "add it under envs/"),
    );
  }
  const composition = monorepo.compositions.get(reference.composition);
  if (composition === undefined) {
    return fault(
      "COMPOSITION_MISSING",
      `there is no composition "${reference.composition}"`,
      "a composition is named by its metadata.name",
    );
  }
  const names = moduleNames(composition.value);
  if (!names.includes(reference.module)) {
    return fault(
      "MODULE_MISSING",
      `the composition "${reference.composition}" has no module "${reference.module}"`,
      "see the modules of that composition",
    );
  }
  const regions = placed.get(reference.composition);
  if (regions === undefined) {
    const hint = `add it to the environment's compositions, or name another environment: \${outputs.<environment>:${reference.composition}.…}`;
    return fault(
      "OUTPUT_UNBOUND",
      `the environment "${environment}" has no composition "${reference.composition}"`,
      hint,
    );
  }
  const region = chooseRegion(reference, from, regions);
  if (region === undefined) return unbound(from, reference, environment, regions);
  return {
    address: formatAddress({
      environment,
      composition: reference.composition,
      region: region.name,
      module: reference.module,
    }),
  };
}

function unbound(
  from: Instance,
  reference: OutputReference,
  environment: string,
  regions: readonly (string | undefined)[],
): OutputBinding {
  const { composition } = reference;
  const known = regions.filter((name) => name !== undefined);
  const wanted = reference.region ?? from.region;
  const what = wanted === undefined ? "needs a region" : `is not in region "${wanted}"`;
  const hint =
    known.length === 0
      ? `it has no regions there; write ${composition}`
      : `write ${composition}@${known[0] ?? ""}; its regions are ${known.join(", ")}`;
  return fault("OUTPUT_UNBOUND", `"${composition}" ${what} in "${environment}"`, hint);
}

function chooseRegion(
  reference: OutputReference,
  from: Instance,
  regions: readonly (string | undefined)[],
): { readonly name: string | undefined } | undefined {
  if (reference.region !== undefined)
    return regions.includes(reference.region) ? { name: reference.region } : undefined;
  if (from.region !== undefined && regions.includes(from.region)) return { name: from.region };
  return regions.includes(undefined) ? { name: undefined } : undefined;
}

/**
 * All units of a composition that an instance depends on as a whole: of the same region, else those without region,
 * else those of every region, since order is all that is asked. Empty where the environment does not have it.
 */
export function bindDependency(monorepo: Monorepo, from: Instance, composition: string): Address[] {
  const regions = monorepo.placements.get(from.environment)?.get(composition);
  const document = monorepo.compositions.get(composition);
  if (regions === undefined || document === undefined) return [];
  const chosen = regions.includes(from.region) ? [from.region] : regions.includes(undefined) ? [undefined] : regions;
  return chosen.flatMap((region) =>
    moduleNames(document.value).map((module) =>
      formatAddress({ environment: from.environment, composition, region, module }),
    ),
  );
}

function fault(code: string, message: string, hint: string): OutputBinding {
  return { fault: { code, message, hint } };
}
