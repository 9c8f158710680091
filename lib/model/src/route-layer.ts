import { z } from "zod";
import { addressSchema } from "./address.ts";
import { durationSchema } from "./duration.ts";
import { changeFrequencySchema, lifecycleSchema } from "./lifecycle.ts";
import { routeLayerNameSchema } from "./route.ts";
import {
  backupSchema,
  concurrencySchema,
  driftPolicySchema,
  engineNameSchema,
  gateKindSchema,
  groupNameSchema,
  observeSettingSchema,
  reconcileStrategySchema,
} from "./route-settings.ts";
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
  /** About these units in particular, not about all of an environment or platform. */
  specific: z.boolean(),
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
  observe: placed(observeSettingSchema),
  ttl: placed(durationSchema),
});
export type RouteLayer = z.infer<typeof routeLayerSchema>;

/** Everything that is looked at to decide one unit's Route. */
export const routeQuestionSchema = z.strictObject({
  address: addressSchema,
  lifecycle: z.strictObject({ value: lifecycleSchema, at: z.string() }),
  changeFrequency: z.strictObject({ value: changeFrequencySchema, at: z.string() }).optional(),
  /** From the weakest to the strongest: platform, environment, composition, module, policy. */
  layers: z.array(routeLayerSchema),
  /** Engines that the module's files speak of, and where the module is referred to. */
  contents: z.strictObject({ engines: z.array(engineNameSchema), at: z.string() }).optional(),
});
export type RouteQuestion = z.infer<typeof routeQuestionSchema>;
