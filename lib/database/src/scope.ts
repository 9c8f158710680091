import type { Scope } from "./database.ts";
import { ScopeInvalidError } from "./database-errors.ts";

/** Everybody's rows; only for loops that serve all tenants (relay, recovery), through the service's system role. */
export const EVERY_TENANT = "*";

const SERVICE = /^[a-z][a-z_]{0,40}$/;
const TENANT = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
const NAME = /^[a-z][a-z-]*(\.[a-z0-9-]+)+$/;

/** The role a service's requests run as. */
export function serviceRole(service: string): string {
  return `xcf_${service}`;
}

/** The role a service's background loops run as: sees every tenant's rows, still only in the service's own schema. */
export function systemRole(service: string): string {
  return `xcf_${service}_system`;
}

/** One tenant's rows of one service; `name` is the transaction's, without the service. */
export function tenantScope(service: string, tenant: string, name: string): Scope {
  return { tenant, role: serviceRole(service), name: `${service}.${name}` };
}

/** Every tenant's rows of one service, for relay and recovery loops only. New rows must name their tenant. */
export function systemScope(service: string, name: string): Scope {
  return { tenant: EVERY_TENANT, role: systemRole(service), name: `${service}.${name}` };
}

/** @throws {ScopeInvalidError} when the scope would see more or less than it says. */
export function checkScope(scope: Scope): void {
  if (!NAME.test(scope.name))
    throw new ScopeInvalidError(scope.name, "a transaction's name looks like service.verb-noun");
  const isSystem = scope.role.endsWith("_system");
  if (!scope.role.startsWith("xcf_") || !SERVICE.test(scope.role))
    throw new ScopeInvalidError(scope.name, `${scope.role} is no service's role`);
  if (isSystem && scope.tenant !== EVERY_TENANT)
    throw new ScopeInvalidError(scope.name, "a system role serves every tenant");
  if (!isSystem && !TENANT.test(scope.tenant))
    throw new ScopeInvalidError(scope.name, `"${scope.tenant}" is no tenant's name`);
}

/** @throws {ScopeInvalidError} when `service` cannot be a schema's name as it stands. */
export function checkService(service: string): void {
  if (!SERVICE.test(service) || service.endsWith("_system"))
    throw new ScopeInvalidError(service, "a service's schema is lower-case letters and _");
}
