import { type CallOptions, Code, ConnectError, createContextKey, type HandlerContext } from "@connectrpc/connect";
import { z } from "zod";

/** Roles as people write them; the proto annotation's enum has the same names (`ROLE_VIEWER`). */
export const roleSchema = z.enum(["viewer", "planner", "approver", "operator", "admin", "runner", "service"]);
export type Role = z.infer<typeof roleSchema>;

export const roleBindingSchema = z.strictObject({
  role: roleSchema,
  environments: z.array(z.string().min(1)).min(1),
});
export type RoleBinding = z.infer<typeof roleBindingSchema>;

/** Who asks. `assurance` says how we know: said by the environment (embedded), proven by a token, or another service. */
export const callerSchema = z.strictObject({
  tenant: z.string().min(1),
  subject: z.string().min(1),
  groups: z.array(z.string()),
  roles: z.array(roleSchema),
  assurance: z.enum(["asserted", "token", "service"]),
  /** The token may write engine state over HTTP (break-glass). */
  writeState: z.boolean().optional(),
  /**
   * Roles held in these environments only, besides `roles`, which are held in the whole tenant. Apart from `roles`, so that
   * whoever does not know of environments grants less and never more.
   */
  bindings: z.array(roleBindingSchema).optional(),
  /** What else the caller is known as, each vouched for by who authenticated them: `<issuer>|<sub>`, a verified e-mail. */
  aliases: z.array(z.string().min(1)).optional(),
});
export type Caller = z.infer<typeof callerSchema>;

/** Tenant of a runner that serves everybody: it may claim with it and nothing else, since it is no tenant's name. */
export const EVERY_TENANT = "*";

/**
 * Carries the caller between services. Only internal transports (in-memory, mTLS) accept it; the edge removes it from
 * what comes in and sets it from what it has authenticated.
 */
export const CALLER_HEADER = "xcf-caller";

/** Set by the authentication interceptor before a handler runs. */
export const callerKey = createContextKey<Caller | undefined>(undefined, { description: "authenticated caller" });

/** Call options that make an internal call on behalf of `caller`. */
export function as(caller: Caller): CallOptions {
  return { headers: { [CALLER_HEADER]: Buffer.from(JSON.stringify(caller)).toString("base64url") } };
}

/** The caller a service is for itself: background loops, recovery. */
export function serviceCaller(tenant: string, service: string): Caller {
  return { tenant, subject: `service:${service}`, groups: [], roles: ["service"], assurance: "service" };
}

/** @throws {ConnectError} UNAUTHENTICATED when no interceptor has set a caller. */
export function callerOf(context: HandlerContext): Caller {
  const caller = context.values.get(callerKey);
  if (caller === undefined) throw new ConnectError("no authenticated caller", Code.Unauthenticated);
  return caller;
}
