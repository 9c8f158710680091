import { type DescMethod, getOption, hasOption, isMessage, type Message } from "@bufbuild/protobuf";
import { CodedError } from "@xcloudflow/model/coded-error";
import { Role as ProtoRole, permission } from "@xcloudflow/proto/options/v1/permission_pb";
import { StartRunRequestSchema } from "@xcloudflow/proto/orchestrator/v1/orchestrator_pb";
import type { Caller, Role } from "./caller.ts";

/** Thrown when a caller has none of the roles a method asks for, or the method names none (default deny). */
export class PermissionMissingError extends CodedError {
  constructor(subject: string, action: string, needed: readonly string[]) {
    super("PERMISSION_MISSING", "forbidden", {
      what: `${subject} may not ${action}`,
      hint: needed.length === 0 ? "nobody may" : `this needs the role ${needed.join(" or ")}; an admin grants roles`,
    });
  }
}

/** Who a method is for: one of these roles, or anybody who is authenticated. */
export type Requirement = readonly (Role | "authenticated")[];

/** What each role includes besides itself. `runner` and `service` are for machines: nothing includes them. */
const IMPLIED: Readonly<Record<Role, readonly Role[]>> = {
  viewer: [],
  planner: ["viewer"],
  approver: ["viewer"],
  operator: ["planner", "viewer"],
  admin: ["operator", "planner", "approver", "viewer"],
  runner: [],
  service: [],
};

const NAME_OF: Readonly<Partial<Record<ProtoRole, Role | "authenticated">>> = {
  [ProtoRole.VIEWER]: "viewer",
  [ProtoRole.PLANNER]: "planner",
  [ProtoRole.APPROVER]: "approver",
  [ProtoRole.OPERATOR]: "operator",
  [ProtoRole.ADMIN]: "admin",
  [ProtoRole.RUNNER]: "runner",
  [ProtoRole.SERVICE]: "service",
  [ProtoRole.AUTHENTICATED]: "authenticated",
};

/** Protocols of others that carry no annotation of ours. Health has no caller at all; see `isOpenMethod`. */
const FOREIGN: Readonly<Record<string, Requirement>> = {
  "grpc.health.v1.Health": ["authenticated"],
  "grpc.reflection.v1.ServerReflection": ["authenticated"],
  "grpc.reflection.v1alpha.ServerReflection": ["authenticated"],
};

/** Answered without a token: load balancers and kubelets ask for health and have none. */
export function isOpenMethod(method: DescMethod): boolean {
  return method.parent.typeName === "grpc.health.v1.Health";
}

/** The annotation of a method; `undefined` where there is none, which a server answers with a refusal. */
export function requirementOf(method: DescMethod): Requirement | undefined {
  const foreign = FOREIGN[method.parent.typeName];
  if (foreign !== undefined) return foreign;
  if (!hasOption(method, permission)) return undefined;
  const roles = getOption(method, permission).anyOf.map((role) => NAME_OF[role]);
  const known = roles.filter((role) => role !== undefined);
  return known.length === 0 || known.length !== roles.length ? undefined : known;
}

/** The caller's roles with all they include. */
export function effectiveRoles(roles: readonly Role[]): ReadonlySet<Role> {
  return new Set(roles.flatMap((role) => [role, ...IMPLIED[role]]));
}

/** Whether the service that knows the environment holds a call of `method` to it; see `environment-permissions.ts`. */
export function isPerEnvironment(method: DescMethod): boolean {
  return hasOption(method, permission) && getOption(method, permission).perEnvironment;
}

/** Whether the caller's roles in the whole tenant suffice. */
export function isPermitted(
  caller: { readonly roles: readonly Role[] },
  requirement: Requirement | undefined,
): boolean {
  if (requirement === undefined) return false;
  const roles = effectiveRoles(caller.roles);
  return requirement.some((role) => role === "authenticated" || roles.has(role));
}

/** Every role the caller holds somewhere: in the tenant or in one environment of it. */
export function rolesAnywhere({ roles, bindings = [] }: Caller): readonly Role[] {
  return [...roles, ...bindings.map(({ role }) => role)];
}

/**
 * Whether the method is open to the caller at all; for a method that is held to environments, in one of them.
 *
 * @throws {PermissionMissingError} unless the caller may call `method`.
 */
export function checkPermission(caller: Caller, method: DescMethod): void {
  const requirement = requirementOf(method);
  const roles = isPerEnvironment(method) ? rolesAnywhere(caller) : caller.roles;
  if (isPermitted({ roles }, requirement)) return;
  throw new PermissionMissingError(caller.subject, `call ${method.parent.typeName}/${method.name}`, requirement ?? []);
}

/**
 * What a method's annotation cannot say: a request that asks for more than the method does. `StartRun` plans and applies;
 * to apply takes an operator, at the public edge and at the orchestrator alike.
 *
 * @throws {PermissionMissingError} unless the caller may ask for what the message asks.
 */
export function checkRequest(caller: Caller, message: Message): void {
  if (isMessage(message, StartRunRequestSchema) && message.kind === "apply")
    requireRole({ ...caller, roles: [...rolesAnywhere(caller)] }, ["operator"], "start an apply");
}

/**
 * For what a method's annotation cannot say, such as a request field that asks for more than the method does.
 *
 * @param action continues the sentence "<subject> may not …".
 * @throws {PermissionMissingError} unless the caller has one of the roles, or a role that includes one.
 */
export function requireRole(caller: Caller, roles: readonly Role[], action: string): void {
  if (!isPermitted(caller, roles)) throw new PermissionMissingError(caller.subject, action, roles);
}
