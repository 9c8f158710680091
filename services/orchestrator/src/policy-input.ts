import type { Compilation, CompiledUnit } from "@xcloudflow/model/compilation";
import { routeValues } from "@xcloudflow/model/route";
import type { UnitPlan } from "@xcloudflow/model/unit-plan";

/**
 * What a policy sees of one unit. `resource_changes` has the shape of Terraform's JSON plan for every engine, so that
 * policies written for `conftest` over a plan work unchanged; what only XCloudFlow knows is under `xcf`.
 */
export function describeForPolicy(compilation: PolicyScope, unit: PolicyUnit, plan: UnitPlan): unknown {
  return {
    format_version: "1.2",
    resource_changes: plan.changes.map((change) => ({
      address: change.address,
      type: change.type,
      name: change.address.slice(change.address.lastIndexOf(".") + 1),
      provider_name: change.provider ?? plan.engine,
      change: {
        actions: change.actions,
        before: change.before,
        after: change.after,
        after_unknown: change.unknown,
        after_sensitive: change.sensitive,
        replace_paths: change.replacePaths,
      },
    })),
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

export type PolicyScope = Pick<Compilation, "environment" | "repository" | "commit" | "authors" | "governance">;
export type PolicyUnit = Pick<CompiledUnit, "address" | "route" | "inputs"> & { readonly reason: string };
