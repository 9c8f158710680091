import type { EngineConfig } from "./field.ts";
import { isPlainMap, type PlainMap, type PlainValue } from "./plain-value.ts";

/** Settings of several layers for all engines, from the weakest to the strongest: maps are merged, all else replaced. */
export function mergeEngineConfigs(layers: readonly (EngineConfig | undefined)[]): EngineConfig {
  const merged: Record<string, PlainMap> = {};
  for (const layer of layers) {
    for (const [engine, config] of Object.entries(layer ?? {}))
      merged[engine] = mergeMaps(merged[engine] ?? {}, config);
  }
  return merged;
}

function mergeMaps(under: PlainMap, over: PlainMap): PlainMap {
  const merged: Record<string, PlainValue> = { ...under };
  for (const [key, value] of Object.entries(over)) {
    const below = merged[key];
    merged[key] = isPlainMap(below) && isPlainMap(value) ? mergeMaps(below, value) : value;
  }
  return merged;
}
