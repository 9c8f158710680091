import type { AttemptClaims } from "@xcloudflow/chassis/attempt-token";
import type { Caller } from "@xcloudflow/chassis/caller";
import { environmentOf, rolesIn } from "@xcloudflow/chassis/environment-permissions";
import { effectiveRoles } from "@xcloudflow/chassis/permissions";
import { addressSchema } from "@xcloudflow/model/address";
import type { StateTarget } from "./engine-state.ts";
import type { Writer } from "./engine-state-decision.ts";
import { actorOf, attemptActor } from "./state-events.ts";
import { StateAccessDeniedError, StateAddressUnknownError, StateRequestInvalidError } from "./terraform-errors.ts";

export type StateVerb = "read" | "write" | "delete" | "lock" | "unlock";

/** What the methods of Terraform's `http` backend mean; PUT because `update_method` may be set to it. */
const VERBS: Readonly<Record<string, StateVerb>> = {
  GET: "read",
  POST: "write",
  PUT: "write",
  DELETE: "delete",
  LOCK: "lock",
  UNLOCK: "unlock",
};

export interface TerraformRequest extends StateTarget {
  readonly verb: StateVerb;
  readonly lockId: string | undefined;
}

const PREFIX = "/terraform/";

/** Whether the path is the backend's at all, so that a server can ask others about the rest. */
export function isTerraformPath(url: string): boolean {
  return url.startsWith(PREFIX);
}

/** @throws {StateAddressUnknownError | StateRequestInvalidError} */
export function parseTerraformRequest(method: string, url: string): TerraformRequest {
  const { pathname, searchParams } = new URL(url, "http://state.invalid");
  const [tenant = "", ...rest] = decodePath(pathname);
  const address = addressSchema.safeParse(rest.join("/"));
  if (tenant === "" || !address.success) throw new StateAddressUnknownError(pathname);
  const verb = VERBS[method];
  if (verb === undefined)
    throw new StateRequestInvalidError(
      `the method ${method} means nothing here`,
      "use GET, POST, DELETE, LOCK or UNLOCK",
    );
  return { tenant, unit: address.data, verb, lockId: searchParams.get("ID") || undefined };
}

function decodePath(pathname: string): readonly string[] {
  if (!pathname.startsWith(PREFIX)) throw new StateAddressUnknownError(pathname);
  try {
    return pathname.slice(PREFIX.length).split("/").map(decodeURIComponent);
  } catch {
    throw new StateAddressUnknownError(pathname);
  }
}

export type Credentials =
  /** `late`: signed by the orchestrator but expired, so that what it brings may be kept and nothing else. */
  | { readonly kind: "attempt"; readonly claims: AttemptClaims; readonly late: boolean }
  | { readonly kind: "token"; readonly caller: Caller };

/** Who the request comes from, as writers are named. @throws {StateAccessDeniedError} when that may not do what is asked. */
export function authorizeRequest({ tenant, unit, verb }: TerraformRequest, credentials: Credentials): Writer {
  return credentials.kind === "attempt"
    ? authorizeAttempt(tenant, unit, verb, credentials)
    : authorizeToken(tenant, unit, verb, credentials.caller);
}

function authorizeAttempt(
  tenant: string,
  unit: string,
  verb: StateVerb,
  { claims, late }: Extract<Credentials, { kind: "attempt" }>,
): Writer {
  const name = attemptActor(claims);
  if (claims.tenant !== tenant || claims.unit !== unit) {
    throw new StateAccessDeniedError(name, "touch the state of another unit", "an attempt's token is for its own unit");
  }
  if (verb !== "read" && claims.purpose !== "apply") {
    throw new StateAccessDeniedError(
      name,
      `${verb} the state`,
      "planning takes no lock and writes no state: use -lock=false",
    );
  }
  if (late && verb !== "write")
    throw new StateAccessDeniedError(name, `${verb} the state`, "the attempt is over; its worker must stop");
  return { kind: "attempt", name, fence: BigInt(claims.fence), expired: late };
}

function authorizeToken(tenant: string, unit: string, verb: StateVerb, caller: Caller): Writer {
  const name = actorOf(caller);
  if (caller.tenant !== tenant)
    throw new StateAccessDeniedError(name, `${verb} this tenant's state`, "check the tenant in the address");
  const roles = effectiveRoles(rolesIn(caller, environmentOf(unit)));
  const mayWrite = caller.writeState === true && roles.size > 0;
  if (verb === "read") {
    if (!mayWrite && !roles.has("operator"))
      throw new StateAccessDeniedError(name, "read engine state", "this needs the role operator");
  } else if (!mayWrite) {
    throw new StateAccessDeniedError(
      name,
      `${verb} engine state by hand`,
      "a token of `xcf token create --write-state` may, and every use of it is audited",
    );
  }
  return { kind: "token", name };
}
