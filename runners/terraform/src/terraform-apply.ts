import { randomUUID } from "node:crypto";
import { existsSync, writeFileSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { CodedError } from "@xcloudflow/model/coded-error";
import { sha256Hex } from "@xcloudflow/model/digest";
import type { Attempt } from "@xcloudflow/runner-host/attempt";
import type { EngineState } from "@xcloudflow/runner-host/engine";
import { AttemptCanceledError, type Effects, EngineFailedError } from "@xcloudflow/runner-host/engine-errors";
import { isAway } from "@xcloudflow/runner-host/insist";
import { z } from "zod";
import { readPlanArchive } from "./plan-archive.ts";
import { readLockHolder } from "./state-http-client.ts";
import { installUnit, readInstalledState } from "./terraform-backend.ts";
import { runTerraform, type TerraformExit } from "./terraform-cli.ts";
import { isManaged, scratchFile, type TerraformContext, terraformEnvironment } from "./terraform-context.ts";
import { type Diagnostic, failureOf, lockHeldError } from "./terraform-diagnostics.ts";
import { PlanStaleError } from "./terraform-errors.ts";
import { engineState } from "./terraform-state.ts";
import { type TerraformUnit, variablesText } from "./terraform-unit.ts";

/**
 * Applies exactly the saved plan: its bytes are checked against the approved digest before terraform sees them, and
 * terraform itself refuses a plan whose state has moved on.
 *
 * @throws {PlanStaleError} before anything is changed. {EngineFailedError} {AttemptCanceledError} with what they may have done.
 */
export async function applyPlan(
  context: TerraformContext,
  attempt: Attempt,
  unit: TerraformUnit,
): Promise<EngineState> {
  const path = await fetchPlan(attempt);
  const lock = readPlanArchive(path).text(".terraform.lock.hcl");
  const lockPath = join(unit.folder, ".terraform.lock.hcl");
  // The providers the plan was made with, even where the module leaves their versions open.
  if (lock?.includes('provider "') && !existsSync(lockPath)) writeFileSync(lockPath, lock, { mode: 0o600 });
  await beforeEffects(attempt, () => installUnit(context, attempt, unit));

  const exit = await runApply(context, attempt, unit, path);
  const effects = exit.began ? "possible" : "none";
  const done = exit.code === 0 || onlyLockIsLeft(exit.diagnostics);
  if (!done && attempt.signal.aborted) throw new AttemptCanceledError(effects, attempt.signal.reason);
  if (!done) {
    const failure = failureOf(exit.diagnostics, {
      command: "apply",
      effects: exit.signal === null ? effects : "possible",
      modulePath: attempt.spec.module.path,
      exit,
      output: exit.stderr(),
    });
    throw failure.code === "STATE_LOCK_HELD" && isManaged(unit) ? await nameHolder(context, attempt, failure) : failure;
  }
  return engineState(await afterEffects(attempt, () => readInstalledState(context, attempt, unit)));
}

/**
 * Everything was done and stored, and then the state's lock could not be given back. It is the attempt's own, and the
 * unit's next attempt takes it over.
 */
function onlyLockIsLeft(diagnostics: readonly Diagnostic[]): boolean {
  const errors = diagnostics.filter(({ severity }) => severity === "error");
  return errors.length > 0 && errors.every(({ summary }) => /releasing the state lock/i.test(summary));
}

const lockInfoSchema = z.object({
  ID: z.string(),
  Who: z.string().default("somebody"),
  Created: z.string().default("an unknown time"),
  Operation: z.string().default("unknown operation"),
});

async function nameHolder(
  context: TerraformContext,
  attempt: Attempt,
  failure: EngineFailedError,
): Promise<EngineFailedError> {
  const asker = { id: randomUUID(), created: context.clock.now().toISOString() };
  try {
    const info = lockInfoSchema.parse(JSON.parse((await readLockHolder(attempt.stateBackend, asker)) ?? ""));
    return lockHeldError({ who: info.Who, created: info.Created, operation: info.Operation, id: info.ID });
  } catch {
    return failure; // Freed meanwhile, or held by something that says nothing about itself.
  }
}

async function fetchPlan(attempt: Attempt): Promise<string> {
  const { plan } = attempt.spec;
  if (plan === undefined)
    throw new EngineFailedError("PLAN_MISSING", "invalid", {
      what: "the task has no saved plan to apply",
      effects: "none",
    });
  const bytes = await beforeEffects(attempt, () => attempt.artefacts.get(plan.artefact));
  if (`sha256:${sha256Hex(bytes)}` !== plan.digest)
    throw new PlanStaleError("PLAN_DAMAGED", "the saved plan is not the one that was approved: its digest differs");
  const path = scratchFile(attempt, "unit.tfplan");
  writeFileSync(path, bytes, { mode: 0o600 });
  return path;
}

/** Until terraform runs nothing can have been changed, whatever goes wrong; the host must know that for a retry. */
export async function beforeEffects<T>(attempt: Attempt, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (attempt.signal.aborted) throw new AttemptCanceledError("none", error);
    if (error instanceof EngineFailedError) throw error;
    if (error instanceof CodedError && !isAway(error)) throw withEffects(error, "none");
    throw new EngineFailedError("APPLY_NOT_STARTED", "unavailable", {
      what: `the apply could not be started: ${error instanceof Error ? error.message : String(error)}`,
      hint: "nothing was changed; retry the run",
      effects: "none",
      retryable: true,
      cause: error,
    });
  }
}

/** Terraform has applied: whatever goes wrong from here on, another try of the same plan is not the answer. */
async function afterEffects<T>(attempt: Attempt, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (attempt.signal.aborted) throw new AttemptCanceledError("possible", error);
    throw error instanceof CodedError ? withEffects(error, "possible") : error;
  }
}

function withEffects(error: CodedError, effects: Effects): EngineFailedError {
  const { code, category, what, where, hint } = error;
  const retryable = effects === "none" && error instanceof EngineFailedError && error.retryable;
  return new EngineFailedError(code, category, { what, where, hint, effects, retryable, cause: error });
}

async function runApply(
  context: TerraformContext,
  attempt: Attempt,
  unit: TerraformUnit,
  path: string,
): Promise<TerraformExit> {
  const ephemeral = [...unit.references.inputs].filter(([name]) => unit.config.variables.get(name)?.ephemeral === true);
  const variables = scratchFile(attempt, "inputs.tfvars.json");
  // Values of ephemeral variables are in no plan; all others are, and giving them again is an error.
  if (ephemeral.length > 0) writeFileSync(variables, variablesText(new Map(ephemeral)), { mode: 0o600 });
  const args = [
    "apply",
    "-json",
    "-input=false",
    "-auto-approve",
    `-lock-timeout=${unit.settings.lockTimeout ?? "30s"}`,
    ...(unit.settings.parallelism === undefined ? [] : [`-parallelism=${unit.settings.parallelism}`]),
    ...(ephemeral.length > 0 ? [`-var-file=${variables}`] : []),
    path,
  ];
  return runTerraform(attempt, {
    binary: unit.binary,
    args,
    cwd: unit.folder,
    env: terraformEnvironment(context, attempt, unit),
    events: true,
  });
}

/** Where terraform leaves the state when it could not store it (in its working directory), somewhere below `module`. */
export async function findErroredState(scratch: string): Promise<Uint8Array | undefined> {
  const module = join(scratch, "module");
  if (!existsSync(module)) return undefined;
  for (const entry of await readdir(module, { recursive: true, withFileTypes: true })) {
    if (entry.name === "errored.tfstate" && entry.isFile()) return readFile(join(entry.parentPath, entry.name));
  }
  return undefined;
}
