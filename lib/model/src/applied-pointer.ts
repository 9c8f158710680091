import { z } from "zod";
import { addressSchema } from "./address.ts";
import { compiledUnitSchema } from "./compilation.ts";
import { unitOutputSchema } from "./unit-plan.ts";

/** What a unit was last applied with: the base of selection, drift, destroy and rollback. */
export const appliedPointerSchema = z.strictObject({
  address: addressSchema,
  tenant: z.string(),
  environment: z.string(),
  commit: z.string(),
  changeSet: z.string(),
  run: z.string(),
  /** The unit as compiled then: enough to destroy it when it has vanished from the repository. */
  unit: compiledUnitSchema,
  /** Addresses it depended on. */
  dependsOn: z.array(addressSchema),
  outputs: z.record(z.string(), unitOutputSchema),
  serial: z.number().int().nonnegative(),
  lineage: z.string(),
  engineVersion: z.string(),
  appliedAt: z.string(),
  /**
   * An apply of a unit that was never applied before has begun and, as far as this says, not ended. It is no base of
   * anything; it only tells how to destroy what the attempt may have left, once the unit has vanished.
   */
  attempted: z.literal(true).optional(),
});
export type AppliedPointer = z.infer<typeof appliedPointerSchema>;
