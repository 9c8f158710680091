import type { Compilation, CompiledUnit } from "@xcloudflow/model/compilation";
import { sumCosts } from "@xcloudflow/model/cost-sum";
import { formatDecimal } from "@xcloudflow/model/decimal";
import { parseResourceAddress } from "@xcloudflow/model/resource-address";
import { routeValues } from "@xcloudflow/model/route";
import type { Cost, ResourceChange, UnitPlan } from "@xcloudflow/model/unit-plan";

/**
 * What a policy sees of one unit. `resource_changes` has the shape of Terraform's JSON plan for every engine, so that
 * policies written for `conftest` over a plan work unchanged; what only XCloudFlow knows is under `xcf`.
 */
export function describeForPolicy(compilation: PolicyScope, unit: PolicyUnit, plan: UnitPlan): unknown {
  return {
    format_version: "1.2",
    resource_changes: plan.changes.map((change) => describeChange(change, plan.engine)),
    output_changes: plan.outputs,
    xcf: {
      unit: unit.address,
      environment: compilation.environment,
      tier: compilation.governance.tier,
      repository: compilation.repository,
      commit: compilation.commit,
      authors: compilation.authors,
      engine: plan.engine,
      engineVersion: plan.engineVersion,
      status: plan.status,
      destroy: plan.destroy,
      reason: unit.reason,
      lifecycle: unit.route.lifecycle.value,
      changeFrequency: unit.route.changeFrequency.value,
      route: routeValues(unit.route),
      summary: plan.summary,
      drift: plan.drift,
      hazards: plan.hazards,
      inputs: unit.inputs,
      cost: plan.cost ?? null,
    },
  };
}

/** Members that Terraform leaves out where they do not apply are left out here too. */
function describeChange(change: ResourceChange, engine: string): unknown {
  const parsed = parseResourceAddress(change.address);
  // An address of another engine may look like one of Terraform's; the type tells.
  const parts = parsed?.type === change.type ? parsed : undefined;
  return {
    address: change.address,
    ...(change.previousAddress === undefined ? {} : { previous_address: change.previousAddress }),
    ...(parts?.moduleAddress === undefined ? {} : { module_address: parts.moduleAddress }),
    mode: parts?.mode ?? "managed",
    type: change.type,
    name: parts?.name ?? change.address.slice(change.address.lastIndexOf(".") + 1),
    ...(parts?.index === undefined ? {} : { index: parts.index }),
    provider_name: change.provider ?? engine,
    change: {
      actions: change.actions,
      before: change.before,
      after: change.after,
      after_unknown: change.unknown,
      after_sensitive: change.sensitive,
      replace_paths: change.replacePaths,
    },
  };
}

/** What a policy sees of the ChangeSet as a whole (`package changeset`): the sums, and a line for each unit. */
export function describeWholeForPolicy(
  scope: PolicyScope,
  subjects: readonly { readonly unit: PolicyUnit; readonly plan: UnitPlan }[],
): unknown {
  return {
    xcf: {
      changeSet: true,
      environment: scope.environment,
      tier: scope.governance.tier,
      repository: scope.repository,
      commit: scope.commit,
      authors: scope.authors,
      units: subjects.map(({ unit, plan }) => ({
        unit: unit.address,
        lifecycle: unit.route.lifecycle.value,
        changeFrequency: unit.route.changeFrequency.value,
        engine: plan.engine,
        status: plan.status,
        reason: unit.reason,
        summary: plan.summary,
        destroy: plan.destroy,
        cost: plan.cost ?? null,
      })),
      cost: wholeCost(subjects.map(({ plan }) => plan)),
    },
  };
}

/** Null where nobody has estimated anything, or in several currencies. */
function wholeCost(plans: readonly UnitPlan[]): Cost | null {
  const sum = sumCosts(
    plans.flatMap(({ cost }) => (cost === undefined ? [] : [{ amount: cost.monthlyDelta, currency: cost.currency }])),
  );
  return sum.kind === "sum" ? { monthlyDelta: formatDecimal(sum.amount, 2), currency: sum.currency } : null;
}

export type PolicyScope = Pick<Compilation, "environment" | "repository" | "commit" | "authors" | "governance">;
export type PolicyUnit = Pick<CompiledUnit, "address" | "route" | "inputs"> & { readonly reason: string };
