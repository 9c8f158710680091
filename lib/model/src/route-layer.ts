import { z } from "zod";
import { durationSchema } from "./duration.ts";
import {
  backupSchema,
  concurrencySchema,
  driftPolicySchema,
  engineNameSchema,
  gateKindSchema,
  groupNameSchema,
  observeSchema,
  reconcileStrategySchema,
} from "./route-settings.ts";
import { routeLayerNameSchema } from "./route.ts";
import { blackoutSchema, windowSchema } from "./window.ts";

function placed<T extends z.ZodType>(value: T) {
  return z.strictObject({ value, at: z.string() }).optional();
}

/**
 * What one layer says about one unit, each value with its `file:line:col`. Within a layer each setting is there at most
 * once; several entries of the same layer (`.xcf.yaml` itself, then its matrix override) follow each other in the list.
 */
export const routeLayerSchema = z.strictObject({
  layer: routeLayerNameSchema.exclude(["matrix"]),
  engine: placed(engineNameSchema),
  /** Preferred engines, used only where the module's content leaves a choice. */
  engines: placed(z.array(engineNameSchema)),
  strategy: placed(reconcileStrategySchema),
  interval: placed(durationSchema),
  drift: placed(driftPolicySchema),
  gate: placed(gateKindSchema),
  groups: placed(z.array(groupNameSchema)),
  quorum: placed(z.number().int().min(1).max(100)),
  backup: placed(backupSchema),
  windows: placed(z.array(windowSchema).min(1)),
  blackouts: placed(z.array(blackoutSchema)),
  concurrency: placed(concurrencySchema),
  observe: placed(observeSchema.partial()),
  ttl: placed(durationSchema),
});
export type RouteLayer = z.infer<typeof routeLayerSchema>;
export type LayerField = Exclude<keyof RouteLayer, "layer">;
