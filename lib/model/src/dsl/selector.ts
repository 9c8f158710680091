import { z } from "zod";
import { nameSchema } from "../address.ts";
import { changeFrequencySchema, lifecycleNameSchema, tierSchema } from "../lifecycle.ts";
import { engineNameSchema } from "../route-settings.ts";
import { ownerSchema } from "./field.ts";
import { labelsSchema } from "./metadata.ts";

/** Which units a policy document is about: every field that is given must match, any value of a list does. */
export const selectorSchema = z.strictObject({
  environments: z.array(nameSchema).min(1).optional(),
  tiers: z.array(tierSchema).min(1).optional(),
  lifecycles: z.array(lifecycleNameSchema).min(1).optional(),
  changeFrequencies: z.array(changeFrequencySchema).min(1).optional(),
  compositions: z.array(nameSchema).min(1).optional(),
  modules: z.array(nameSchema).min(1).optional(),
  engines: z.array(engineNameSchema).min(1).optional(),
  owners: z.array(ownerSchema).min(1).optional(),
  labels: labelsSchema.optional(),
});
export type Selector = z.infer<typeof selectorSchema>;
