import { z } from "zod";
import { addressSchema } from "./address.ts";
import { inputsSchema } from "./input-value.ts";
import { jsonObjectSchema } from "./json-value.ts";

/** The seven verbs of the Engine contract, plus `verify` (a plan that must be empty) and `inspect` (what is there?). */
export const taskKindSchema = z.enum(["plan", "apply", "verify", "inspect", "drift", "snapshot", "restore"]);
export type TaskKind = z.infer<typeof taskKindSchema>;

/** Where a unit's module is: a tar of the module and everything it includes, in the state service. */
export const moduleSourceSchema = z.strictObject({
  /** Artefact id of the archive; content-addressed, so that a runner may cache it. */
  archive: z.string(),
  /** Folder of the module inside the archive, relative, without `..`. */
  path: z.string(),
  /** `sha256:…` over every (path, mode, content) of the closure. */
  contentHash: z.string(),
});
export type ModuleSource = z.infer<typeof moduleSourceSchema>;

/** Everything an engine needs for one task; what is secret is a reference in it. */
export const taskSpecSchema = z.strictObject({
  kind: taskKindSchema,
  tenant: z.string(),
  address: addressSchema,
  engine: z.string(),
  environment: z.string(),
  module: moduleSourceSchema,
  inputs: inputsSchema,
  /** Some inputs are unknown: the plan shows the truth but can never be applied. */
  provisional: z.boolean(),
  /** Plan the removal of everything the unit has. */
  destroy: z.boolean(),
  /** Resource addresses to replace (`--replace`). */
  replace: z.array(z.string()),
  /** For `apply`: the saved plan, its digest and the serial it was made against. */
  plan: z
    .strictObject({ artefact: z.string(), digest: z.string(), serial: z.number(), lineage: z.string() })
    .optional(),
  /** The module's and environment's engine settings (`engineConfig.<engine>` merged), validated by the engine. */
  engineConfig: jsonObjectSchema,
  /** Environment variable names → `secret://` references for credentials of this purpose (plan or apply role). */
  credentials: z.record(z.string(), z.string()),
  /** Engine version the approval was given for; another one refuses to apply. */
  engineVersion: z.string().optional(),
  /** The unit whose engine state is planned against, when this one takes over another's (`moved`). */
  stateAddress: addressSchema.optional(),
  ignoreDrift: z.array(z.string()),
  /** The runner pool that does the work. */
  pool: z.string().optional(),
  /** W3C trace context of what asked for the task. */
  traceparent: z.string().optional(),
  timeoutSeconds: z.number().positive(),
});
export type TaskSpec = z.infer<typeof taskSpecSchema>;
