import { createHash, randomUUID } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "@xcloudflow/chassis/clock";
import type { ResourceChange, UnitPlan } from "@xcloudflow/model/unit-plan";
import { parseVersionConstraint } from "@xcloudflow/model/version-constraint";
import type { Attempt } from "@xcloudflow/runner-host/attempt";
import type { Engine } from "@xcloudflow/runner-host/engine";
import type { UserIsolationOptions } from "@xcloudflow/runner-host/user-isolation-cli";
import { scanHcl } from "./hcl-scan.ts";
import { applyPlan, beforeEffects, findErroredState } from "./terraform-apply.ts";
import { currentState } from "./terraform-backend.ts";
import { detectTerraform, type TerraformBinary } from "./terraform-cli.ts";
import type { TerraformContext } from "./terraform-context.ts";
import { EngineVersionUnsuitableError, PlanStaleError } from "./terraform-errors.ts";
import { createInstaller } from "./terraform-init.ts";
import { planDrift, planUnit } from "./terraform-planning.ts";
import { restoreState, takeSnapshot } from "./terraform-snapshot.ts";
import { engineState } from "./terraform-state.ts";
import { openUnit, readEngineConfig, type TerraformUnit } from "./terraform-unit.ts";

export interface TerraformEngineOptions {
  /** Name on the PATH or absolute path. Default: `terraform`, then `tofu`. */
  readonly binary?: string;
  /** What `engineConfig.terraform.binary` may name instead. */
  readonly alternatives?: Readonly<Partial<Record<"terraform" | "tofu", string>>>;
  /** Terraform's CLI configuration: mirrors, plugin cache, registry credentials. Never inherited. */
  readonly cliConfigFile?: string;
  readonly cacheRoot: string;
  /** The clean base environment, for asking the version. */
  readonly environment: Readonly<Record<string, string>>;
  readonly clock: Clock;
}

/**
 * Finds the program and makes the engine.
 *
 * @throws {EngineMissingError} {EngineVersionUnsuitableError}
 */
export async function createTerraformEngine(options: TerraformEngineOptions): Promise<Engine> {
  const found = await findDefault(options);
  const binaries = new Map<string, Promise<TerraformBinary>>([[found.file, Promise.resolve(found)]]);
  const otherVersions: string[] = [];
  for (const file of Object.values(options.alternatives ?? {})) {
    if (file === undefined || binaries.has(file)) continue;
    // An alternative that cannot be used is told to the unit that wants it.
    const other = await detectTerraform(file, options.environment).catch(() => undefined);
    if (other === undefined) continue;
    binaries.set(file, Promise.resolve(other));
    otherVersions.push(other.version);
  }
  const root = join(options.cacheRoot, "terraform");
  const cliConfigFile = options.cliConfigFile ?? emptyCliConfig(root);
  const plugins = join(root, "plugins");
  mkdirSync(plugins, { recursive: true, mode: 0o700 });
  const cliConfig = existsSync(cliConfigFile) ? readFileSync(cliConfigFile, "utf8") : "";
  const configDigest = createHash("sha256").update(cliConfig).digest("hex");
  const ownPluginCache = scanHcl(cliConfig).attributes.has("plugin_cache_dir");
  const context: TerraformContext = {
    installer: createInstaller(join(root, "prepared"), configDigest),
    cliConfigFile,
    pluginCache: ownPluginCache ? undefined : plugins,
    clock: options.clock,
  };

  async function open(attempt: Attempt): Promise<TerraformUnit> {
    const { spec } = attempt;
    const settings = readEngineConfig(spec.address, spec.engineConfig);
    const file =
      settings.binary === undefined ? found.file : (options.alternatives?.[settings.binary] ?? settings.binary);
    const detecting = binaries.get(file) ?? detectTerraform(file, options.environment);
    binaries.set(file, detecting);
    detecting.catch(() => binaries.delete(file));
    const binary = await detecting;
    const suits = settings.version === undefined ? undefined : parseVersionConstraint(settings.version);
    if (suits !== undefined && !suits(binary.version.replace(/^opentofu /, ""))) {
      throw new EngineVersionUnsuitableError(
        `${spec.address} wants version ${settings.version}; ${file} is ${binary.version}`,
        "install a version that suits, or change engines.terraform.version of .xcf.yaml or the unit's engineConfig.terraform.version",
      );
    }
    if (spec.engineVersion !== undefined && spec.engineVersion !== binary.version) {
      throw new PlanStaleError(
        "ENGINE_VERSION_CHANGED",
        `the plan was made and approved for ${spec.engineVersion}, this worker has ${binary.version}`,
      );
    }
    return openUnit(attempt, binary, settings);
  }

  return {
    name: "terraform",
    version: found.version,
    otherVersions,
    programs: [...binaries.keys()],
    capabilities: { provisionalPlans: true, snapshots: true, keepsState: true },
    plan: async (attempt): Promise<UnitPlan> => planUnit(context, attempt, await open(attempt)),
    apply: async (attempt) => applyPlan(context, attempt, await beforeEffects(attempt, () => open(attempt))),
    // A saved destroy plan is a plan: what makes it one was decided, policed and approved when it was made.
    destroy: async (attempt) => applyPlan(context, attempt, await beforeEffects(attempt, () => open(attempt))),
    detectDrift: async (attempt): Promise<readonly ResourceChange[]> =>
      planDrift(context, attempt, await open(attempt)),
    snapshot: async (attempt) => takeSnapshot(context, attempt, await open(attempt)),
    restore: async (attempt) => restoreState(context, attempt, await open(attempt), randomUUID()),
    outputs: async (attempt) => engineState(await currentState(context, attempt, await open(attempt))),
    findLeftState: findErroredState,
  };
}

async function findDefault(options: TerraformEngineOptions): Promise<TerraformBinary> {
  if (options.binary !== undefined) return detectTerraform(options.binary, options.environment);
  try {
    return await detectTerraform(options.alternatives?.terraform ?? "terraform", options.environment);
  } catch (missing) {
    return detectTerraform(options.alternatives?.tofu ?? "tofu", options.environment).catch(() => {
      throw missing;
    });
  }
}

/** What engines and installers of isolated attempts need below the cache; everything else there is the worker's. */
export function terraformPlaces(
  cacheRoot: string,
  cliConfigFile: string | undefined,
): Pick<UserIsolationOptions, "passable" | "readable" | "installed"> {
  const root = join(cacheRoot, "terraform");
  return {
    passable: [cacheRoot, root],
    readable: [cliConfigFile ?? join(root, EMPTY_CONFIG)],
    installed: [join(root, "plugins")],
  };
}

const EMPTY_CONFIG = "empty.tfrc";

function emptyCliConfig(root: string): string {
  mkdirSync(root, { recursive: true, mode: 0o700 });
  const path = join(root, EMPTY_CONFIG);
  if (!existsSync(path)) writeFileSync(path, "", { mode: 0o644 });
  return path;
}
