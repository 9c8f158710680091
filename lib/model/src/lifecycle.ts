import { z } from "zod";

/** The classes of the decision matrix in canonical form, from the most to the least conservative. */
export const LIFECYCLES = ["Foundation", "Platform", "Application", "Config", "Ephemeral"] as const;

export const lifecycleSchema = z.enum(LIFECYCLES);
export type Lifecycle = z.infer<typeof lifecycleSchema>;

/** What people may write: canonical names and the layer names of the design (IaaS, PaaS, Apps). */
export const lifecycleNameSchema = z.enum([...LIFECYCLES, "IaaS", "PaaS", "Apps"]);
export type LifecycleName = z.infer<typeof lifecycleNameSchema>;

const CANONICAL: Readonly<Record<LifecycleName, Lifecycle>> = {
  Foundation: "Foundation",
  IaaS: "Foundation",
  Platform: "Platform",
  PaaS: "Platform",
  Application: "Application",
  Apps: "Application",
  Config: "Config",
  Ephemeral: "Ephemeral",
};

export function canonicalLifecycle(name: LifecycleName): Lifecycle {
  return CANONICAL[name];
}

export const CHANGE_FREQUENCIES = ["low", "medium", "high"] as const;

export const changeFrequencySchema = z.enum(CHANGE_FREQUENCIES);
export type ChangeFrequency = z.infer<typeof changeFrequencySchema>;

/** The kinds of environment. Only `production` makes the `environment` gate ask by itself. */
export const tierSchema = z.enum(["production", "staging", "development", "ephemeral"]);
export type Tier = z.infer<typeof tierSchema>;
