import type { Attempt } from "@xcloudflow/runner-host/attempt";
import { insist, PATIENCE_MS } from "@xcloudflow/runner-host/insist";
import { pullState } from "./state-http-client.ts";
import { runTerraform } from "./terraform-cli.ts";
import {
  initRequest,
  isManaged,
  SHORT_LIVED,
  type TerraformContext,
  terraformEnvironment,
} from "./terraform-context.ts";
import { failureOf } from "./terraform-diagnostics.ts";
import { EMPTY_STATE, readState, type TerraformState } from "./terraform-state.ts";
import { sensitiveInputs, type TerraformUnit, writeOverride } from "./terraform-unit.ts";

/** What a reader of a plan must know about where its state is. */
export function backendHazards(unit: TerraformUnit): string[] {
  const { backend } = unit.config;
  if (!isManaged(unit)) {
    return [
      `the state stays in the module's own backend (${backend ?? "local"}): two attempts are kept apart by best effort only, since that backend knows no fences`,
    ];
  }
  return backend === undefined
    ? []
    : [`the module's own backend "${backend}" is not used; the state is kept by the control plane`];
}

/** A state in a backend that the module itself names: terraform is asked for it; needs an installed module. */
async function pullByTerraform(context: TerraformContext, attempt: Attempt, unit: TerraformUnit): Promise<string> {
  const env = { ...terraformEnvironment(context, attempt, unit), ...SHORT_LIVED };
  const exit = await runTerraform(attempt, {
    binary: unit.binary,
    args: ["state", "pull"],
    cwd: unit.folder,
    env,
    events: false,
  });
  attempt.signal.throwIfAborted();
  if (exit.code !== 0) {
    throw failureOf(exit.diagnostics, {
      command: "state pull",
      effects: "none",
      modulePath: attempt.spec.module.path,
      exit,
      output: exit.stderr(),
    });
  }
  return exit.stdout();
}

/** The engine's state as text, wherever it is kept; empty when there is none. The module must be installed. */
export async function stateText(context: TerraformContext, attempt: Attempt, unit: TerraformUnit): Promise<string> {
  if (!isManaged(unit)) return pullByTerraform(context, attempt, unit);
  const { signal, stateBackend } = attempt;
  return insist({ clock: context.clock, signal, patience: PATIENCE_MS }, () => pullState(stateBackend, signal));
}

/** The current state, from a unit that was only opened. */
export async function currentState(
  context: TerraformContext,
  attempt: Attempt,
  unit: TerraformUnit,
): Promise<TerraformState> {
  if (!isManaged(unit)) await installUnit(context, attempt, unit);
  return readInstalledState(context, attempt, unit);
}

/** The current state of an installed unit. A state that OpenTofu encrypted is opened by OpenTofu itself. */
export async function readInstalledState(
  context: TerraformContext,
  attempt: Attempt,
  unit: TerraformUnit,
): Promise<TerraformState> {
  const state = readState(await stateText(context, attempt, unit));
  if (state !== undefined) return state;
  return readState(await pullByTerraform(context, attempt, unit)) ?? EMPTY_STATE;
}

/** Writes the override and makes `.terraform`. */
export async function installUnit(context: TerraformContext, attempt: Attempt, unit: TerraformUnit) {
  writeOverride(unit.folder, isManaged(unit), sensitiveInputs(unit.references.inputs));
  return context.installer.install(attempt, initRequest(context, attempt, unit));
}
