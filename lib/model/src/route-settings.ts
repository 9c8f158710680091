import { z } from "zod";
import { durationSchema } from "./duration.ts";

/** When a unit is compared with the world and brought back. The interval is the longest time between two looks. */
export const reconcileStrategySchema = z.enum(["on_drift", "periodic", "continuous", "on_change"]);
export type ReconcileStrategy = z.infer<typeof reconcileStrategySchema>;

export const reconcileSchema = z.strictObject({ strategy: reconcileStrategySchema, interval: durationSchema });
export type Reconcile = z.infer<typeof reconcileSchema>;

/** alert: a person decides · correct: bring it back and record · collect: remove what nobody owns any more. */
export const driftPolicySchema = z.enum(["alert", "correct", "collect"]);
export type DriftPolicy = z.infer<typeof driftPolicySchema>;

/**
 * forced: people always approve · environment: people approve in production and wherever approvals are declared ·
 * automatic: passing policy and checks is enough · none: nothing is asked.
 */
export const gateKindSchema = z.enum(["forced", "environment", "automatic", "none"]);
export type GateKind = z.infer<typeof gateKindSchema>;

export const groupNameSchema = z.string().min(1).max(200);

/** Empty `groups`: any holder of the approver role but the author. */
export const routeGateSchema = z.strictObject({
  kind: gateKindSchema,
  groups: z.array(groupNameSchema),
  quorum: z.number().int().min(1).max(100),
});
export type RouteGate = z.infer<typeof routeGateSchema>;

/**
 * What is kept before a change. state: the engine's state · configuration: state and configuration ·
 * pre-change: a backup of the data itself (provider snapshot or dump) besides.
 */
export const backupSchema = z.enum(["none", "state", "configuration", "pre-change"]);
export type Backup = z.infer<typeof backupSchema>;

/** A Prometheus query whose value must stay inside its bounds. */
export const checkSchema = z
  .strictObject({
    name: z.string().min(1).max(100),
    prometheus: z.string().min(1).max(10_000),
    max: z.number().optional(),
    min: z.number().optional(),
  })
  .refine((check) => check.max !== undefined || check.min !== undefined, "needs max or min, else it can never fail");
export type Check = z.infer<typeof checkSchema>;

export const breachReactionSchema = z.enum(["alert", "hold", "rollback"]);

/** After apply: how long to watch, what, and what to do when a check fails. */
export const observeSchema = z.strictObject({
  window: durationSchema,
  checks: z.array(checkSchema).max(1_000).default([]),
  onBreach: breachReactionSchema.default("alert"),
});
export type Observe = z.infer<typeof observeSchema>;

/** A layer's own part of an observation; layers below fill in what is missing. */
export const observeSettingSchema = z.strictObject({
  window: durationSchema.optional(),
  checks: z.array(checkSchema).max(100).optional(),
  onBreach: breachReactionSchema.optional(),
});
export type ObserveSetting = z.infer<typeof observeSettingSchema>;

export const concurrencySchema = z.number().int().min(1).max(10_000);

export const engineNameSchema = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,31}$/, "must be an engine's name, such as terraform or playbook");
export type EngineName = string;

/** Engines of the product; `.xcf.yaml` may declare further ones. */
export const ENGINES = ["terraform", "pulumi", "provider", "playbook", "kubernetes"] as const;
