import type { Caller } from "@xcloudflow/chassis/caller";
import { z } from "zod";
import { JwtRefusedError } from "./issuer-errors.ts";
import type { IssuerSettings } from "./issuer-settings.ts";

const MOST_GROUPS = 1_000;

const claimsSchema = z.looseObject({
  sub: z.string().min(1).max(255),
  email: z.string().max(254).optional(),
  /** Some issuers write the word instead of the value. */
  email_verified: z.union([z.boolean(), z.enum(["true", "false"])]).optional(),
});
const groupsSchema = z
  .union([z.string().transform((group) => [group]), z.array(z.string()).max(MOST_GROUPS)])
  .default([]);
/** One address and nothing that could be read as another kind of subject (`service:…`, `a|b`). */
const EMAIL = /^[^\s@:|,<>"]{1,64}@[A-Za-z0-9.-]{1,189}$/;
const LOGIN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;

/**
 * Who verified claims stand for here. Roles come from the bindings of their groups and from nothing in the token: who is
 * in no bound group may do nothing.
 *
 * @throws {JwtRefusedError} when they name nobody, or a tenant that the issuer does not decide for.
 */
export function callerOfClaims(settings: IssuerSettings, payload: Readonly<Record<string, unknown>>): Caller {
  const claims = claimsSchema.safeParse(payload);
  const groups = groupsSchema.safeParse(payload[settings.groupsClaim]);
  if (!claims.success || !groups.success) throw new JwtRefusedError("JWT_CLAIMS_REFUSED");
  const { sub, email = "", email_verified } = claims.data;
  const address = String(email_verified) === "true" && EMAIL.test(email) ? email.toLowerCase() : undefined;
  const own = `${settings.name}|${sub}`;
  const held = settings.bindings.filter(({ group }) => group === "*" || groups.data.includes(group));
  const limited = held.flatMap(({ role, environments }) =>
    environments === undefined ? [] : [{ role, environments }],
  );
  return {
    tenant: tenantOf(settings, payload),
    subject: settings.subject === "email" ? (address ?? own) : own,
    groups: [...new Set(groups.data)],
    roles: [...new Set(held.flatMap(({ role, environments }) => (environments === undefined ? [role] : [])))],
    assurance: "token",
    ...(limited.length === 0 ? {} : { bindings: limited }),
    aliases: [own, ...(address === undefined ? [] : [address]), ...loginOf(settings, payload)],
  };
}

function tenantOf({ tenant }: IssuerSettings, payload: Readonly<Record<string, unknown>>): string {
  if ("fixed" in tenant) return tenant.fixed;
  const named = payload[tenant.claim];
  if (typeof named !== "string" || !tenant.allowed.includes(named)) throw new JwtRefusedError("JWT_CLAIMS_REFUSED");
  return named;
}

function loginOf({ login }: IssuerSettings, payload: Readonly<Record<string, unknown>>): string[] {
  const name = login === undefined ? undefined : payload[login.claim];
  return login !== undefined && typeof name === "string" && LOGIN.test(name)
    ? [`${login.forge}:${name.toLowerCase()}`]
    : [];
}
