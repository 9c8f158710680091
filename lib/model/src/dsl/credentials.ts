import type { Environment } from "./environment.ts";
import type { Monorepo } from "./monorepo-index.ts";
import type { ParsedDocument } from "./parse.ts";

/** What an engine's process gets: environment variables as `secret://` references, and roles the cloud itself knows. */
export interface Credentials {
  readonly env: Readonly<Record<string, string>>;
  /** Account (`aws`) → role, for roles that no credential of `.xcf.yaml` is named after. */
  readonly roles: Readonly<Record<string, string>>;
}

/** The plan and the apply side of an environment's accounts. An account without `planRole` lends nothing to plans. */
export function credentialsOf(
  monorepo: Monorepo,
  environment: ParsedDocument<Environment>,
): { readonly plan: Credentials; readonly apply: Credentials } {
  return { plan: sideOf(monorepo, environment, "planRole"), apply: sideOf(monorepo, environment, "applyRole") };
}

function sideOf(
  monorepo: Monorepo,
  environment: ParsedDocument<Environment>,
  side: "planRole" | "applyRole",
): Credentials {
  const declared = monorepo.platform?.value.spec.credentials ?? {};
  const env: Record<string, string> = {};
  const roles: Record<string, string> = {};
  for (const [account, entry] of Object.entries(environment.value.spec.credentials ?? {})) {
    const role = entry[side];
    if (role === undefined) continue;
    const credential = Object.hasOwn(declared, role) ? declared[role] : undefined;
    if (credential === undefined) roles[account] = role;
    else Object.assign(env, credential.env);
  }
  return { env, roles };
}
