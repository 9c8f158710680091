import { z } from "zod";
import { addressSchema } from "./address.ts";
import { durationSchema } from "./duration.ts";
import { changeFrequencySchema, lifecycleSchema, type Tier } from "./lifecycle.ts";
import {
  backupSchema,
  concurrencySchema,
  driftPolicySchema,
  engineNameSchema,
  observeSchema,
  reconcileSchema,
  routeGateSchema,
} from "./route-settings.ts";
import { windowRuleSchema } from "./window.ts";

/** Who decides, in the order in which they are asked; `policy` can only tighten. */
export const routeLayerNameSchema = z.enum(["matrix", "platform", "environment", "composition", "module", "policy"]);
export type RouteLayerName = z.infer<typeof routeLayerNameSchema>;

/** What decided a field. `at` is `file:line:col`, absent for the matrix. */
export const originSchema = z.strictObject({ layer: routeLayerNameSchema, at: z.string().optional() });
export type Origin = z.infer<typeof originSchema>;

function decided<T extends z.ZodType>(value: T) {
  return z.strictObject({ value, from: originSchema });
}

/**
 * How one unit is planned, gated, run, watched and undone; every field with what decided it. `reconcile` and `gate` are
 * one field each: `from` names what decided the strategy, or the kind. `window`, `observe` and `ttl` are absent where
 * nothing decides them.
 */
export const routeSchema = z.strictObject({
  address: addressSchema,
  lifecycle: decided(lifecycleSchema),
  changeFrequency: decided(changeFrequencySchema),
  engine: decided(engineNameSchema),
  reconcile: decided(reconcileSchema),
  drift: decided(driftPolicySchema),
  gate: decided(routeGateSchema),
  backup: decided(backupSchema),
  concurrency: decided(concurrencySchema),
  window: decided(windowRuleSchema).optional(),
  observe: decided(observeSchema).optional(),
  ttl: decided(durationSchema).optional(),
});
export type Route = z.infer<typeof routeSchema>;

export type RouteField = Exclude<keyof Route, "address">;

/** The order in which fields are printed. */
export const ROUTE_FIELDS = [
  "lifecycle",
  "changeFrequency",
  "engine",
  "reconcile",
  "drift",
  "gate",
  "backup",
  "window",
  "concurrency",
  "observe",
  "ttl",
] as const satisfies readonly RouteField[];

/** Whether people must approve: a forced gate always, an environment gate in production or where approvals are declared. */
export function gateAsks(
  route: Pick<Route, "gate">,
  environment: { readonly tier: Tier; readonly approvalsDeclared: boolean },
): boolean {
  const { kind } = route.gate.value;
  if (kind === "forced") return true;
  return kind === "environment" && (environment.tier === "production" || environment.approvalsDeclared);
}

/** The decisions without their origins: what a content hash covers, since moving a line decides nothing. */
export function routeValues(route: Route): Readonly<Record<string, unknown>> {
  const values: Record<string, unknown> = { address: route.address };
  for (const field of ROUTE_FIELDS) {
    const decision = route[field];
    if (decision !== undefined) values[field] = decision.value;
  }
  return values;
}
