import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { JsonObject } from "@xcloudflow/model/json-value";
import { parseVersionConstraint } from "@xcloudflow/model/version-constraint";
import type { Attempt, ResolvedInput, ResolvedReferences } from "@xcloudflow/runner-host/attempt";
import { z } from "zod";
import type { TerraformBinary } from "./terraform-cli.ts";
import { readTerraformConfig, readVariableFileNames, type TerraformConfig } from "./terraform-config.ts";
import { EngineConfigInvalidError, UnitInputMissingError, UnitInputUndeclaredError } from "./terraform-errors.ts";

/** `engineConfig.terraform` of a module or environment. */
const engineConfigSchema = z.strictObject({
  /** Which program; paths are the worker's business, never the repository's. */
  binary: z.enum(["terraform", "tofu"]).optional(),
  /** The version that is wanted, or a constraint. */
  version: z
    .string()
    .refine(
      (text) => parseVersionConstraint(text) !== undefined,
      "must be a version or constraint, such as >= 1.6, < 2.0",
    )
    .optional(),
  /** Paths in the archive, or relative to the module's folder; later ones win. */
  varFiles: z.array(z.string().min(1)).max(100).optional(),
  /** `managed`: state in the control plane. `module`: wherever the module's own backend block says. */
  backend: z.enum(["managed", "module"]).optional(),
  /** Of the module's own backend. */
  workspace: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,89}$/)
    .optional(),
  parallelism: z.number().int().min(1).max(256).optional(),
  /** How long an apply waits for the state lock. */
  lockTimeout: z
    .string()
    .regex(/^\d{1,5}[smh]$/)
    .optional(),
});
export type TerraformEngineConfig = z.infer<typeof engineConfigSchema>;

/** @throws {EngineConfigInvalidError} */
export function readEngineConfig(unit: string, config: JsonObject): TerraformEngineConfig {
  const parsed = engineConfigSchema.safeParse(config);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const path = ["engineConfig", "terraform", ...(issue?.path ?? [])].join(".");
    throw new EngineConfigInvalidError(
      unit,
      `${path}: ${issue?.message ?? "wrong shape"}`,
      "known settings: binary, version, varFiles, backend, workspace, parallelism, lockTimeout",
    );
  }
  const settings = parsed.data;
  if (settings.workspace !== undefined && settings.workspace !== "default" && settings.backend !== "module") {
    throw new EngineConfigInvalidError(
      unit,
      "engineConfig.terraform.workspace needs backend: module",
      "each unit has a state of its own in the control plane; workspaces are for the module's own backend",
    );
  }
  return settings;
}

/** One unit on disk, ready for terraform to be run in `folder`. */
export interface TerraformUnit {
  readonly binary: TerraformBinary;
  readonly settings: TerraformEngineConfig;
  /** Folder that the archive's root became. */
  readonly root: string;
  /** The module's own folder: terraform's working directory. */
  readonly folder: string;
  readonly config: TerraformConfig;
  /** The module brings its own `.terraform.lock.hcl`. */
  readonly locked: boolean;
  readonly references: ResolvedReferences;
  /** Absolute paths for `-var-file`, in order. */
  readonly varFiles: readonly string[];
  /** Those that terraform reads without being told, when it is run in `folder`, in its order. */
  readonly automaticVarFiles: readonly string[];
  /** Names that variable files give values to. */
  readonly fileVariables: ReadonlySet<string>;
}

const configs = new Map<string, TerraformConfig>();
const CONFIGS_KEPT = 1_000;

/**
 * Unpacks the module, reads what it declares and checks the inputs against it, before terraform runs at all.
 *
 * @throws {UnitInputUndeclaredError} {UnitInputMissingError} {EngineConfigInvalidError}
 */
export async function openUnit(
  attempt: Attempt,
  binary: TerraformBinary,
  settings: TerraformEngineConfig,
): Promise<TerraformUnit> {
  const { spec } = attempt;
  const [root, references] = await Promise.all([attempt.unpackModule(), attempt.resolve()]);
  const folder = join(root, spec.module.path);
  if (!existsSync(folder))
    throw new EngineConfigInvalidError(
      spec.address,
      `the archive has no folder ${spec.module.path}`,
      "plan the commit again",
    );
  const key = `${binary.product} ${spec.module.archive} ${spec.module.path}`;
  const config = configs.get(key) ?? readTerraformConfig(folder, binary.product);
  if (configs.size >= CONFIGS_KEPT) configs.clear();
  configs.set(key, config);

  const varFiles = (settings.varFiles ?? []).map((file) =>
    findVarFile(spec.address, root, ["", spec.module.path], file),
  );
  const automatic = automaticVarFiles(folder);
  const fileVariables = new Set([...automatic, ...varFiles].flatMap(readVariableFileNames));
  checkInputs(spec.address, config, references, fileVariables);
  const locked = existsSync(join(folder, ".terraform.lock.hcl"));
  return {
    binary,
    settings,
    root,
    folder,
    config,
    locked,
    references,
    varFiles,
    automaticVarFiles: automatic,
    fileVariables,
  };
}

function findVarFile(unit: string, root: string, folders: readonly string[], file: string): string {
  const found = folders
    .map((folder) => join(root, folder, file))
    .find((path) => path.startsWith(`${root}/`) && existsSync(path));
  if (found !== undefined) return found;
  throw new EngineConfigInvalidError(
    unit,
    `the variable file ${file} is neither in the repository nor in ${folders.at(-1)}`,
    "paths in varFiles are relative to the file that lists them or to the module",
  );
}

/** `terraform.tfvars` first, then `*.auto.tfvars` by name: later ones win. */
function automaticVarFiles(folder: string): string[] {
  const names = readdirSync(folder);
  const fixed = ["terraform.tfvars", "terraform.tfvars.json"].filter((name) => names.includes(name));
  const automatic = names.filter((name) => name.endsWith(".auto.tfvars") || name.endsWith(".auto.tfvars.json")).sort();
  return [...fixed, ...automatic].map((name) => join(folder, name));
}

function checkInputs(
  unit: string,
  { variables }: TerraformConfig,
  { inputs, credentials }: ResolvedReferences,
  fileVariables: ReadonlySet<string>,
): void {
  for (const name of inputs.keys()) {
    if (!variables.has(name)) throw new UnitInputUndeclaredError(unit, name, nearest(name, [...variables.keys()]));
  }
  const given = (name: string): boolean =>
    inputs.has(name) || fileVariables.has(name) || credentials.has(`TF_VAR_${name}`);
  const missing = [...variables].filter(([name, { required }]) => required && !given(name)).map(([name]) => name);
  if (missing.length > 0) throw new UnitInputMissingError(unit, missing);
}

/** Name of the override file; the tilde sorts it behind any other, so that it has the last word. */
export const OVERRIDE_FILE = "~xcf_override.tf.json";

/**
 * Written beside the module's files: the backend, without any of its settings (those come by the environment and reach
 * neither files nor plans), and `sensitive` for each variable that gets a secret, so that terraform itself keeps
 * whatever is made of it out of sight.
 */
export function writeOverride(folder: string, managed: boolean, sensitive: readonly string[]): void {
  const override = {
    ...(managed ? { terraform: { backend: { http: {} } } } : {}),
    ...(sensitive.length === 0
      ? {}
      : { variable: Object.fromEntries(sensitive.map((name) => [name, { sensitive: true }])) }),
  };
  if (Object.keys(override).length > 0)
    writeFileSync(join(folder, OVERRIDE_FILE), JSON.stringify(override), { mode: 0o600 });
}

export function sensitiveInputs(inputs: ReadonlyMap<string, ResolvedInput>): string[] {
  return [...inputs].filter(([, input]) => input.kind === "secret").map(([name]) => name);
}

/** The known inputs as the text of a `.tfvars.json` file. Terraform takes strings in it literally. */
export function variablesText(inputs: ReadonlyMap<string, ResolvedInput>): string {
  const members = [...inputs].flatMap(([name, input]) => {
    if (input.kind === "unknown") return [];
    return [`${JSON.stringify(name)}:${input.kind === "secret" ? input.json.reveal() : JSON.stringify(input.value)}`];
  });
  return `{${members.join(",")}}`;
}

function nearest(name: string, candidates: readonly string[]): string | undefined {
  const scored = candidates.map((candidate) => ({
    candidate,
    distance: editDistance(name.toLowerCase(), candidate.toLowerCase()),
  }));
  const [best] = scored.sort((a, b) => a.distance - b.distance);
  return best !== undefined && best.distance <= Math.max(2, name.length / 3) ? best.candidate : undefined;
}

/** Levenshtein's distance. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      next.push(
        Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)),
      );
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
