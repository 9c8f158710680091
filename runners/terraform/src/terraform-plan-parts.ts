import { rmSync, writeFileSync } from "node:fs";
import { summarizeChanges, type UnitPlan } from "@xcloudflow/model/unit-plan";
import type { Attempt } from "@xcloudflow/runner-host/attempt";
import type { EngineFailedError } from "@xcloudflow/runner-host/engine-errors";
import { backendHazards } from "./terraform-backend.ts";
import { runTerraform, type TerraformExit } from "./terraform-cli.ts";
import { chdirTo, SHORT_LIVED, scratchFile, type TerraformContext, terraformEnvironment } from "./terraform-context.ts";
import { failureOf } from "./terraform-diagnostics.ts";
import { withoutIgnored } from "./terraform-drift.ts";
import type { InstallLocks } from "./terraform-init.ts";
import { type PlanReading, type PlanView, readPlan } from "./terraform-plan.ts";
import type { TerraformState } from "./terraform-state.ts";
import { type TerraformUnit, variablesText } from "./terraform-unit.ts";

/** In a task's list of resources to replace: every resource the unit has. */
export const EVERY_RESOURCE = "*";

/** What every unit plan of this engine has, whatever its status. */
export type PlanFrame = Pick<
  UnitPlan,
  | "address"
  | "engine"
  | "engineVersion"
  | "destroy"
  | "summary"
  | "changes"
  | "drift"
  | "outputs"
  | "locks"
  | "prior"
  | "hazards"
>;

/** A unit plan that says nothing yet. */
export function planFrame(
  { spec }: Attempt,
  unit: TerraformUnit,
  prior: Pick<TerraformState, "serial" | "lineage">,
): PlanFrame {
  return {
    address: spec.address,
    engine: "terraform",
    engineVersion: unit.binary.version,
    destroy: spec.destroy,
    summary: { create: 0, update: 0, replace: 0, delete: 0, noop: 0 },
    changes: [],
    drift: [],
    outputs: {},
    locks: {},
    prior: { serial: prior.serial, lineage: prior.lineage },
    hazards: backendHazards(unit),
  };
}

/** What a plan's JSON says, as parts of a unit plan. */
export function readingParts(
  reading: PlanReading,
  ignored: readonly string[],
): Pick<UnitPlan, "summary" | "changes" | "drift" | "outputs"> {
  const summary = summarizeChanges(reading.changes);
  return {
    summary: { ...summary, noop: summary.noop + reading.noops },
    changes: reading.changes,
    drift: withoutIgnored(reading.drift, ignored),
    outputs: reading.outputs,
  };
}

export function lockHazards(unit: TerraformUnit, locks: InstallLocks): string[] {
  if (unit.locked || locks[".terraform.lock.hcl"] === undefined) return [];
  return [
    "the module has no .terraform.lock.hcl: its providers are those that were newest when they were first installed here",
  ];
}

/** Secrets are in this file and nowhere else, for as long as the process runs. */
export function writeVariables(
  attempt: Attempt,
  unit: TerraformUnit,
): { readonly args: readonly string[]; readonly remove: () => void } {
  if (unit.references.inputs.size === 0) return { args: [], remove: () => undefined };
  const path = scratchFile(attempt, "inputs.tfvars.json");
  writeFileSync(path, variablesText(unit.references.inputs), { mode: 0o600 });
  return { args: [`-var-file=${path}`], remove: () => rmSync(path, { force: true }) };
}

/** Reads a saved plan; `folder` is where it was made, if that is not the module's own. */
export async function showPlan(
  context: TerraformContext,
  attempt: Attempt,
  unit: TerraformUnit,
  path: string,
  folder = unit.folder,
  view?: PlanView,
): Promise<PlanReading> {
  const env = { ...terraformEnvironment(context, attempt, unit, "none"), ...SHORT_LIVED };
  const args = [...chdirTo(unit.folder, folder), "show", "-json", path];
  const [exit, redactor] = await Promise.all([
    runTerraform(attempt, { binary: unit.binary, args, cwd: unit.folder, env, events: false }),
    attempt.redactor(),
  ]);
  attempt.signal.throwIfAborted();
  if (exit.code !== 0) {
    throw failureOf(exit.diagnostics, {
      command: "show",
      effects: "none",
      modulePath: attempt.spec.module.path,
      exit,
      output: exit.stderr(),
    });
  }
  return readPlan(exit.stdout(), redactor, view);
}

export function planFailure(attempt: Attempt, exit: TerraformExit): EngineFailedError {
  return failureOf(exit.diagnostics, {
    command: "plan",
    effects: "none",
    modulePath: attempt.spec.module.path,
    exit,
    output: exit.stderr(),
  });
}
