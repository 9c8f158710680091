import type { DescMethod } from "@bufbuild/protobuf";
import type { Caller, Role } from "./caller.ts";
import { isPermitted, PermissionMissingError, type Requirement, requirementOf } from "./permissions.ts";

/** The caller's roles as far as one environment goes; an empty name is the whole tenant. */
export function rolesIn({ roles, bindings = [] }: Caller, environment: string): readonly Role[] {
  if (environment === "") return roles;
  return [
    ...roles,
    ...bindings.flatMap(({ role, environments }) => (environments.includes(environment) ? [role] : [])),
  ];
}

/** Whether the answer depends on the environment; if not, nobody need look it up. */
export function isLimited(caller: Caller, method: DescMethod): boolean {
  return !isPermitted(caller, requirementOf(method));
}

/**
 * For the service that knows which environment a call is about.
 *
 * @param environment its name; empty for a call about all of them, which takes a role in the whole tenant.
 * @throws {PermissionMissingError} unless the caller may call `method` there.
 */
export function checkEnvironment(caller: Caller, method: DescMethod, environment: string): void {
  requireRoleIn(caller, requirementOf(method), environment, `call ${method.parent.typeName}/${method.name}`);
}

/** @throws {PermissionMissingError} unless the caller has one of the roles in the environment. */
export function requireRoleIn(
  caller: Caller,
  requirement: Requirement | undefined,
  environment: string,
  action: string,
): void {
  if (isPermitted({ roles: rolesIn(caller, environment) }, requirement)) return;
  const place = environment === "" ? "in every environment" : `in ${environment}`;
  throw new PermissionMissingError(caller.subject, `${action} ${place}`, requirement ?? []);
}

/** The environments a listing may show; undefined: all of them. */
export function visibleEnvironments(caller: Caller, method: DescMethod): readonly string[] | undefined {
  if (!isLimited(caller, method)) return undefined;
  const requirement = requirementOf(method);
  const open = (caller.bindings ?? []).filter(({ role }) => isPermitted({ roles: [role] }, requirement));
  return [...new Set(open.flatMap(({ environments }) => environments))].sort();
}

/** The environment of a unit address, a tier lock's name (`<environment>[@<region>]`) or an environment's own name. */
export function environmentOf(name: string): string {
  return name.split(/[/@]/, 1)[0] ?? "";
}
