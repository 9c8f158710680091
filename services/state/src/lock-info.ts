import { z } from "zod";
import { StateRequestInvalidError } from "./terraform-errors.ts";

/**
 * Terraform's LockInfo (`internal/states/statemgr/locker.go`), of which only `ID` means anything to us; the rest is for
 * the person who meets the lock.
 */
export const lockInfoSchema = z.looseObject({
  ID: z.string().min(1).max(256),
  Operation: z.string().optional(),
  Info: z.string().optional(),
  Who: z.string().optional(),
  Version: z.string().optional(),
  Created: z.string().optional(),
  Path: z.string().optional(),
});
export type LockInfo = z.infer<typeof lockInfoSchema>;

/** Id and text of what a LOCK or UNLOCK request carries; undefined for an empty body. @throws {StateRequestInvalidError} */
export function parseLockInfo(body: string): { readonly id: string; readonly info: string } | undefined {
  if (body.trim() === "") return undefined;
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch (cause) {
    throw new StateRequestInvalidError("the lock information is not JSON", "send Terraform's LockInfo", cause);
  }
  const parsed = lockInfoSchema.safeParse(value);
  if (!parsed.success)
    throw new StateRequestInvalidError("the lock information has no `ID`", "send Terraform's LockInfo", parsed.error);
  return { id: parsed.data.ID, info: JSON.stringify(value) };
}
