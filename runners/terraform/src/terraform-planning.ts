import { sha256Hex } from "@xcloudflow/model/digest";
import type { ResourceChange, UnitPlan } from "@xcloudflow/model/unit-plan";
import type { Attempt } from "@xcloudflow/runner-host/attempt";
import { EngineFailedError } from "@xcloudflow/runner-host/engine-errors";
import { type PlanArchive, readPlanArchive } from "./plan-archive.ts";
import { installUnit, readInstalledState } from "./terraform-backend.ts";
import { runTerraform, type TerraformExit } from "./terraform-cli.ts";
import {
  initRequest,
  SHORT_LIVED,
  scratchFile,
  type TerraformContext,
  terraformEnvironment,
} from "./terraform-context.ts";
import { withoutIgnored } from "./terraform-drift.ts";
import { type InstallLocks, needsReinstall } from "./terraform-init.ts";
import {
  EVERY_RESOURCE,
  lockHazards,
  planFailure,
  planFrame,
  readingParts,
  showPlan,
  writeVariables,
} from "./terraform-plan-parts.ts";
import { planProvisionally } from "./terraform-provisional-plan.ts";
import { countResources, publicOutputs, readState, resourceAddresses, type TerraformState } from "./terraform-state.ts";
import type { TerraformUnit } from "./terraform-unit.ts";

/** What terraform would do for a unit. */
export async function planUnit(context: TerraformContext, attempt: Attempt, unit: TerraformUnit): Promise<UnitPlan> {
  const unknown = [...unit.references.inputs.values()].some((input) => input.kind === "unknown");
  if (attempt.spec.provisional || unknown) return planProvisionally(context, attempt, unit);
  const { exit, locks, path } = await runPlan(context, attempt, unit, []);
  const archive = readPlanArchive(path);
  const prior = await priorState(context, attempt, unit, archive);
  const base = { ...planFrame(attempt, unit, prior), locks };

  if (exit.code === 0 && !exit.driftSeen) {
    const outputs = prior.outputs.length === 0 ? {} : publicOutputs(prior, await attempt.redactor());
    return { ...base, status: "unchanged", summary: { ...base.summary, noop: countResources(prior) }, outputs };
  }
  const reading = await showPlan(context, attempt, unit, path);
  if (reading.errored)
    throw new EngineFailedError("TERRAFORM_FAILED", "invalid", {
      what: "terraform could not finish the plan",
      hint: "look in the unit's log",
      effects: "none",
    });
  const plan = {
    ...base,
    ...readingParts(reading, attempt.spec.ignoreDrift),
    hazards: [...base.hazards, ...lockHazards(unit, locks), ...reading.hazards],
  };
  if (exit.code === 0) return { ...plan, status: "unchanged" };
  if (attempt.spec.kind !== "plan" && attempt.spec.kind !== "inspect") return { ...plan, status: "planned" };
  const { bytes } = archive;
  return {
    ...plan,
    status: "planned",
    artefact: await attempt.artefacts.put("plan", bytes),
    artefactDigest: `sha256:${sha256Hex(bytes)}`,
  };
}

/** What was changed outside since the last apply: terraform's refresh, without looking at the configuration's wishes. */
export async function planDrift(
  context: TerraformContext,
  attempt: Attempt,
  unit: TerraformUnit,
): Promise<readonly ResourceChange[]> {
  const { exit, path } = await runPlan(context, attempt, unit, ["-refresh-only"]);
  if (exit.code === 0 && !exit.driftSeen) return [];
  const reading = await showPlan(context, attempt, unit, path);
  return withoutIgnored(reading.drift, attempt.spec.ignoreDrift);
}

interface PlanRun {
  readonly exit: TerraformExit;
  readonly locks: InstallLocks;
  readonly path: string;
}

/** One `terraform plan` against the unit's own backend, which it neither locks nor writes. */
async function runPlan(
  context: TerraformContext,
  attempt: Attempt,
  unit: TerraformUnit,
  extra: readonly string[],
): Promise<PlanRun> {
  const { spec } = attempt;
  const installed = await installUnit(context, attempt, unit);
  const path = scratchFile(attempt, "unit.tfplan");
  const replace = spec.replace.includes(EVERY_RESOURCE)
    ? resourceAddresses(await readInstalledState(context, attempt, unit))
    : spec.replace;
  const run = (): Promise<TerraformExit> => {
    const variables = writeVariables(attempt, unit);
    const args = [
      "plan",
      "-json",
      "-input=false",
      "-lock=false",
      "-detailed-exitcode",
      `-out=${path}`,
      ...extra,
      ...(spec.destroy ? ["-destroy"] : []),
      ...(extra.length > 0 ? [] : replace.map((address) => `-replace=${address}`)),
      ...(unit.settings.parallelism === undefined ? [] : [`-parallelism=${unit.settings.parallelism}`]),
      ...unit.varFiles.map((file) => `-var-file=${file}`),
      ...variables.args,
    ];
    const env = { ...terraformEnvironment(context, attempt, unit), ...SHORT_LIVED };
    return runTerraform(attempt, { binary: unit.binary, args, cwd: unit.folder, env, events: true }).finally(
      variables.remove,
    );
  };
  let exit = await run();
  let { locks } = installed;
  attempt.signal.throwIfAborted();
  if (exit.code === 1 && installed.copied && needsReinstall(exit.diagnostics)) {
    locks = await context.installer.reinstall(attempt, initRequest(context, attempt, unit));
    exit = await run();
    attempt.signal.throwIfAborted();
  }
  if (exit.code !== 0 && exit.code !== 2) throw planFailure(attempt, exit);
  return { exit, locks, path };
}

/**
 * The state that terraform planned against, as refreshed, with the stored one's serial and lineage, is inside the plan;
 * only where it cannot be read, the backend is asked.
 */
async function priorState(
  context: TerraformContext,
  attempt: Attempt,
  unit: TerraformUnit,
  archive: PlanArchive,
): Promise<TerraformState> {
  const text = archive.text("tfstate");
  const state = text === undefined ? undefined : readState(text);
  return state ?? readInstalledState(context, attempt, unit);
}
