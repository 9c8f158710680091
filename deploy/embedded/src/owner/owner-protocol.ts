import { ERROR_CATEGORIES } from "@xcloudflow/model/coded-error";
import { z } from "zod";

/** What an owner and its clients agree on besides the services' contracts; raised when the below changes. */
export const OWNER_PROTOCOL = 1;

/** Plain HTTP/2 beside the services, so that processes of different versions can still talk about who stays. */
export const IDENTITY_PATH = "/.xcf/owner";
export const LEAVE_PATH = "/.xcf/owner/leave";

export const ownerIdentitySchema = z.object({
  pid: z.int().positive(),
  version: z.string(),
  protocol: z.int(),
  socket: z.string().min(1),
  startedAt: z.iso.datetime(),
});
/** Contents of `.xcf/owner.json` and answer to `IDENTITY_PATH`. */
export type OwnerIdentity = z.infer<typeof ownerIdentitySchema>;

/** Answer to a POST of `LEAVE_PATH`: an owner with other clients or runs stays. */
export const leaveAnswerSchema = z.object({ leaving: z.boolean() });

const categorySchema = z.enum(ERROR_CATEGORIES);

/** The one line a started owner writes to the descriptor it was given, then closes it. */
export const ownerReportSchema = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("ready") }),
  z.object({ kind: z.literal("taken") }),
  z.object({
    kind: z.literal("failed"),
    error: z.object({
      code: z.string(),
      category: categorySchema,
      what: z.string(),
      where: z.string().optional(),
      hint: z.string().optional(),
    }),
  }),
]);
export type OwnerReport = z.infer<typeof ownerReportSchema>;
