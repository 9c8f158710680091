import type { EngineSettings } from "@xcloudflow/model/dsl/platform";
import type { JsonObject } from "@xcloudflow/model/json-value";

/** Engines as `.xcf.yaml` of the governing commit declares them. */
export type EngineDeclarations = Readonly<Record<string, EngineSettings>>;

// One object for one pair, since a unit is hashed again when its settings are another object.
const merged = new WeakMap<JsonObject, { readonly settings: EngineSettings; readonly config: JsonObject }>();

/**
 * A unit's engine settings under what the platform says about the engine: the program is the platform's where the unit
 * names none, a version must satisfy both.
 */
export function underPlatform(config: JsonObject, settings: EngineSettings | undefined): JsonObject {
  if (settings === undefined || (settings.binary === undefined && settings.version === undefined)) return config;
  const known = merged.get(config);
  if (known?.settings === settings) return known.config;
  const versions = [settings.version, config.version].filter((version) => version !== undefined);
  const [only] = versions;
  const version =
    versions.length === 2 && versions.every((part) => typeof part === "string") ? versions.join(", ") : only;
  const result: JsonObject = {
    ...(settings.binary === undefined ? {} : { binary: settings.binary }),
    ...config,
    ...(version === undefined ? {} : { version }),
  };
  merged.set(config, { settings, config: result });
  return result;
}
