import { join, relative } from "node:path";
import type { Clock } from "@xcloudflow/chassis/clock";
import type { Attempt } from "@xcloudflow/runner-host/attempt";
import type { InitRequest, Installer } from "./terraform-init.ts";
import type { TerraformUnit } from "./terraform-unit.ts";

/** What all verbs of one engine share. */
export interface TerraformContext {
  readonly installer: Installer;
  readonly cliConfigFile: string;
  /** Undefined: the CLI configuration names one. */
  readonly pluginCache: string | undefined;
  readonly clock: Clock;
}

export function isManaged(unit: TerraformUnit): boolean {
  return unit.settings.backend !== "module";
}

/**
 * The whole environment of a terraform process beyond the clean base. The backend's address and credentials are here and
 * nowhere else: terraform copies neither into `.terraform` nor into plans.
 */
export function terraformEnvironment(
  context: TerraformContext,
  attempt: Attempt,
  unit: TerraformUnit,
  backend: "unit" | "none" = "unit",
): Record<string, string> {
  const { address, username, password } = attempt.stateBackend;
  const credentials = Object.fromEntries(
    [...unit.references.credentials].map(([name, secret]) => [name, secret.reveal()]),
  );
  return {
    ...credentials,
    TF_CLI_CONFIG_FILE: context.cliConfigFile,
    ...(context.pluginCache === undefined ? {} : { TF_PLUGIN_CACHE_DIR: context.pluginCache }),
    TF_IN_AUTOMATION: "1",
    TF_INPUT: "0",
    CHECKPOINT_DISABLE: "1",
    ...(unit.settings.workspace === undefined ? {} : { TF_WORKSPACE: unit.settings.workspace }),
    ...(backend === "unit" && isManaged(unit)
      ? {
          TF_HTTP_ADDRESS: address,
          TF_HTTP_LOCK_ADDRESS: address,
          TF_HTTP_UNLOCK_ADDRESS: address,
          TF_HTTP_USERNAME: username,
          TF_HTTP_PASSWORD: password.reveal(),
          ...BACKEND_PATIENCE,
        }
      : {}),
  };
}

/**
 * Terraform's own two retries are over after three seconds, less than a database may take to come back; these are over
 * after fifteen, within the time that an engine of a dead worker gets to write down what it could not store.
 */
const BACKEND_PATIENCE: Readonly<Record<string, string>> = {
  TF_HTTP_RETRY_MAX: "6",
  TF_HTTP_RETRY_WAIT_MIN: "1",
  TF_HTTP_RETRY_WAIT_MAX: "3",
};

/**
 * For short commands that end before much garbage is worth collecting: saves about a quarter of their processor time.
 * Not for an apply, which may hold large states for hours.
 */
export const SHORT_LIVED: Readonly<Record<string, string>> = { GOGC: "400" };

export function initRequest(context: TerraformContext, attempt: Attempt, unit: TerraformUnit): InitRequest {
  return {
    binary: unit.binary,
    cwd: unit.folder,
    folder: unit.folder,
    config: unit.config,
    env: { ...terraformEnvironment(context, attempt, unit), ...SHORT_LIVED },
    mode: isManaged(unit) ? "managed" : `module ${unit.settings.workspace ?? "default"}`,
  };
}

/** Files of an attempt that are not the module's, below its scratch. */
export function scratchFile(
  attempt: Attempt,
  name: "unit.tfplan" | "wrapper.tfplan" | "drift.tfplan" | "inputs.tfvars.json" | "wrapper",
): string {
  return join(attempt.scratch, name);
}

export function chdirTo(cwd: string, folder: string): string[] {
  return cwd === folder ? [] : [`-chdir=${relative(cwd, folder)}`];
}
