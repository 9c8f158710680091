import { rmSync, writeFileSync } from "node:fs";
import { sha256Hex } from "@xcloudflow/model/digest";
import { type ResourceChange, summarizeChanges, type UnitOutput, type UnitPlan } from "@xcloudflow/model/unit-plan";
import type { Attempt } from "@xcloudflow/runner-host/attempt";
import { EngineFailedError } from "@xcloudflow/runner-host/engine-errors";
import { type PlanArchive, readPlanArchive } from "./plan-archive.ts";
import { backendHazards, installUnit, readInstalledState } from "./terraform-backend.ts";
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
import { type Diagnostic, failureOf } from "./terraform-diagnostics.ts";
import { withoutIgnored } from "./terraform-drift.ts";
import { type InstallLocks, needsReinstall } from "./terraform-init.ts";
import { type PlanReading, type PlanView, readPlan } from "./terraform-plan.ts";
import {
  deferralReason,
  unwrapLocks,
  unwrapView,
  WRAPPER_STATE,
  wrapAddress,
  wrapperObstacle,
  writeWrapper,
} from "./terraform-provisional.ts";
import { countResources, publicOutputs, readState, resourceAddresses, type TerraformState } from "./terraform-state.ts";
import { type TerraformUnit, variablesText } from "./terraform-unit.ts";

/** In a task's list of resources to replace: every resource the unit has. */
const EVERY_RESOURCE = "*";

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

type PlanFrame = Pick<
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

function planFrame(
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

function readingParts(
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

function lockHazards(unit: TerraformUnit, locks: InstallLocks): string[] {
  if (unit.locked || locks[".terraform.lock.hcl"] === undefined) return [];
  return [
    "the module has no .terraform.lock.hcl: its providers are those that were newest when they were first installed here",
  ];
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

/** Secrets are in this file and nowhere else, for as long as the process runs. */
function writeVariables(
  attempt: Attempt,
  unit: TerraformUnit,
): { readonly args: readonly string[]; readonly remove: () => void } {
  if (unit.references.inputs.size === 0) return { args: [], remove: () => undefined };
  const path = scratchFile(attempt, "inputs.tfvars.json");
  writeFileSync(path, variablesText(unit.references.inputs), { mode: 0o600 });
  return { args: [`-var-file=${path}`], remove: () => rmSync(path, { force: true }) };
}

async function showPlan(
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

function planFailure(attempt: Attempt, exit: TerraformExit): EngineFailedError {
  return failureOf(exit.diagnostics, {
    command: "plan",
    effects: "none",
    modulePath: attempt.spec.module.path,
    exit,
    output: exit.stderr(),
  });
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

async function planProvisionally(context: TerraformContext, attempt: Attempt, unit: TerraformUnit): Promise<UnitPlan> {
  const { spec } = attempt;
  const installed = isManaged(unit) ? { locks: {} } : await installUnit(context, attempt, unit);
  const state = await readInstalledState(context, attempt, unit).catch((error: unknown) => {
    attempt.signal.throwIfAborted();
    throw error;
  });
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
  return { ...terraformEnvironment(context, attempt, unit, "none"), ...SHORT_LIVED };
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
