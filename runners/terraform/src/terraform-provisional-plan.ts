import type { UnitOutput, UnitPlan } from "@xcloudflow/model/unit-plan";
import type { Attempt } from "@xcloudflow/runner-host/attempt";
import { installUnit, readInstalledState } from "./terraform-backend.ts";
import { runTerraform, type TerraformExit } from "./terraform-cli.ts";
import {
  chdirTo,
  initRequest,
  isManaged,
  SHORT_LIVED,
  scratchFile,
  type TerraformContext,
  terraformEnvironment,
} from "./terraform-context.ts";
import type { Diagnostic } from "./terraform-diagnostics.ts";
import { needsReinstall } from "./terraform-init.ts";
import {
  EVERY_RESOURCE,
  lockHazards,
  type PlanFrame,
  planFailure,
  planFrame,
  readingParts,
  showPlan,
  writeVariables,
} from "./terraform-plan-parts.ts";
import {
  deferralReason,
  unwrapLocks,
  unwrapView,
  WRAPPER_STATE,
  wrapAddress,
  wrapperObstacle,
  writeWrapper,
} from "./terraform-provisional.ts";
import { resourceAddresses, type TerraformState } from "./terraform-state.ts";
import type { TerraformUnit } from "./terraform-unit.ts";

/** Plans a unit with inputs that exist only later, through the wrapper; see `terraform-provisional.ts`. */
export async function planProvisionally(
  context: TerraformContext,
  attempt: Attempt,
  unit: TerraformUnit,
): Promise<UnitPlan> {
  const { spec } = attempt;
  const installed = isManaged(unit) ? { locks: {} } : await installUnit(context, attempt, unit);
  const state = await readInstalledState(context, attempt, unit);
  const frame = { ...planFrame(attempt, unit, state), locks: installed.locks };
  const obstacle = wrapperObstacle(unit.config);
  if (obstacle !== undefined) return deferred(frame, unit, obstacle);

  const folder = scratchFile(attempt, "wrapper");
  writeWrapper(folder, unit, state);
  const request = {
    ...initRequest(context, attempt, unit),
    folder,
    env: wrapperEnvironment(context, attempt, unit),
    mode: `wrapper ${spec.module.path}`,
  };
  const { locks: installedLocks, copied } = await context.installer.install(attempt, request);
  const locks = unwrapLocks(installedLocks);
  const path = scratchFile(attempt, "wrapper.tfplan");
  let exit = await runWrapperPlan(context, attempt, unit, state, folder, path);
  if (exit.code === 1 && copied && needsReinstall(exit.diagnostics)) {
    await context.installer.reinstall(attempt, request);
    exit = await runWrapperPlan(context, attempt, unit, state, folder, path);
  }
  if (exit.code !== 0 && exit.code !== 2) {
    const reason = deferralReason(exit.diagnostics);
    if (reason === undefined) throw planFailure(attempt, { ...exit, diagnostics: exit.diagnostics.map(inModule) });
    return deferred({ ...frame, locks }, unit, attempt.redactText(reason));
  }
  const reading = await showPlan(context, attempt, unit, path, folder, unwrapView(folder, unit.folder));
  const parts = readingParts(reading, spec.ignoreDrift);
  return {
    ...frame,
    ...parts,
    locks,
    status: "provisional",
    hazards: [...frame.hazards, ...lockHazards(unit, locks), ...reading.hazards],
  };
}

function wrapperEnvironment(context: TerraformContext, attempt: Attempt, unit: TerraformUnit): Record<string, string> {
  // The wrapper's local state is one file; a workspace's name would make terraform look for another.
  const { TF_WORKSPACE: _, ...env } = terraformEnvironment(context, attempt, unit, "none");
  return { ...env, ...SHORT_LIVED };
}

async function runWrapperPlan(
  context: TerraformContext,
  attempt: Attempt,
  unit: TerraformUnit,
  state: TerraformState,
  folder: string,
  path: string,
): Promise<TerraformExit> {
  const { spec } = attempt;
  const variables = writeVariables(attempt, unit);
  const replace = spec.replace.includes(EVERY_RESOURCE) ? resourceAddresses(state) : spec.replace;
  const args = [
    // From the module's own folder, so that path.cwd is what it will be.
    ...chdirTo(unit.folder, folder),
    "plan",
    "-json",
    "-input=false",
    "-lock=false",
    "-detailed-exitcode",
    `-out=${path}`,
    `-state=${WRAPPER_STATE}`,
    ...(spec.destroy ? ["-destroy"] : []),
    ...replace.map((address) => `-replace=${wrapAddress(address)}`),
    ...[...unit.automaticVarFiles, ...unit.varFiles].map((file) => `-var-file=${file}`),
    ...variables.args,
  ];
  const exit = await runTerraform(attempt, {
    binary: unit.binary,
    args,
    cwd: unit.folder,
    env: wrapperEnvironment(context, attempt, unit),
    events: true,
  }).finally(variables.remove);
  attempt.signal.throwIfAborted();
  return exit;
}

/** Nothing can be said but that it depends on what is not known: whoever depends on it must not know its outputs either. */
function deferred(frame: PlanFrame, unit: TerraformUnit, reason: string): UnitPlan {
  const outputs: Record<string, UnitOutput> = {};
  for (const [name, { sensitive }] of unit.config.outputs) outputs[name] = { unknown: true, sensitive };
  return {
    ...frame,
    status: "deferred",
    outputs,
    hazards: [...frame.hazards, `deferred until its inputs are known: ${reason}`],
  };
}

/** The wrapper's own trace out of a message: `module.xcf_unit.` before an address. */
function inModule(diagnostic: Diagnostic): Diagnostic {
  const plain = (text: string): string => text.replaceAll("module.xcf_unit.", "");
  return { ...diagnostic, summary: plain(diagnostic.summary), detail: plain(diagnostic.detail) };
}
