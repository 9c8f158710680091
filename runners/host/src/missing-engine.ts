import type { Engine } from "./engine.ts";
import { EngineMissingError } from "./engine-errors.ts";

/**
 * Stands where an engine should be on a machine that has no such tool: it takes the engine's tasks and fails each with
 * what to do, instead of leaving them to wait for a worker that never comes. Its version is empty: it offers none.
 */
export function createMissingEngine(name: string, hint: string): Engine {
  const refuse = (): Promise<never> => Promise.reject(new EngineMissingError(name, hint));
  return {
    name,
    version: "",
    capabilities: { provisionalPlans: false, snapshots: false, keepsState: false },
    plan: refuse,
    apply: refuse,
    destroy: refuse,
    detectDrift: refuse,
    snapshot: refuse,
    restore: refuse,
    outputs: refuse,
  };
}
